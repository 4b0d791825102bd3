#include "passes/search/size_search.h"

#include <algorithm>
#include <limits>

#include "formats/error.h"
#include "passes/search/allocation.h"

namespace terse::passes {
namespace {

constexpr int kMostPlans = 12;  // mostly two: the sizes of single weights leave out some padding

using Choice = std::vector<size_t>;

class Searcher {
 public:
  Searcher(const SizeSearch& search, const SearchKnowledge& known)
      : search_(search),
        space_(make_search_space(search.original, search.pipeline, search.free_weights, search.target,
                                 search.plan_files)) {
    max_bytes_ = search.limit.max_bytes ? *search.limit.max_bytes : bytes_on_average(*search.limit.average_bits);
    check_smallest();
    const PredictedCosts predicted = predict_costs(search.original, space_, known);
    measure_ = predicted.measure;
    for (size_t i = 0; i < space_.groups.size(); ++i) {
      items_[i].clear();
      for (size_t j = 0; j < predicted.costs[i].size(); ++j) {
        items_[i].push_back({.bytes = space_.groups[i].options[j].bytes, .cost = predicted.costs[i][j]});
      }
    }
  }

  /// Plans with the bytes that single weights take, then again with what the files have beside those.
  FoundEncodings find() {
    FoundEncodings best = evaluate(smallest_);
    Choice last;
    int64_t budget = max_bytes_ - space_.fixed_bytes;
    int64_t smallest_over = std::numeric_limits<int64_t>::max();  // of the choices that came out too large
    for (int i = 0; i < kMostPlans; ++i) {
      const Choice choice = allocate(items_, std::min(budget, smallest_over - 1)).value_or(smallest_);
      if (choice == last) {
        break;
      }
      last = choice;
      const int64_t bytes = bytes_of(choice);
      FoundEncodings found = evaluate(choice);
      budget = max_bytes_ - (found.bytes - bytes);
      if (found.bytes > max_bytes_) {
        smallest_over = std::min(smallest_over, bytes);
      } else if (found.predicted < best.predicted) {
        best = std::move(found);
      }
    }
    return best;
  }

 private:
  /// Of files in which the free weights have so many bits on average.
  int64_t bytes_on_average(double bits) const {
    double numbers = 0;
    for (const ValueId id : search_.free_weights) {
      const Encoding& weight = *search_.original.graph.value(id).constant;
      numbers += static_cast<double>(weight.rows()) * static_cast<double>(weight.columns());
    }
    return space_.fixed_bytes + static_cast<int64_t>(numbers * bits / 8);
  }

  /// Before costs are known: a size that cannot be reached should not wait for them.
  void check_smallest() {
    for (const WeightGroup& group : space_.groups) {
      auto& offers = items_.emplace_back();
      for (const EncodingOption& option : group.options) {
        offers.push_back({.bytes = option.bytes, .cost = 0});
      }
    }
    smallest_ = smallest_offers(items_);
    const int64_t bytes = search_.count_bytes(pipeline_of(smallest_));
    if (bytes > max_bytes_) {
      throw Error(Kind::unsupported, "no choice of encodings gives {} bytes, the smallest has {} bytes", max_bytes_,
                  bytes);
    }
  }

  Pipeline pipeline_of(const Choice& choice) const {
    Pipeline pipeline = search_.pipeline;
    add_encodings(encoding_lines(search_.original.graph, space_, choice), search_.original.graph, pipeline);
    return pipeline;
  }

  int64_t bytes_of(const Choice& choice) const {
    int64_t bytes = 0;
    for (size_t i = 0; i < choice.size(); ++i) {
      bytes += items_[i][choice[i]].bytes;
    }
    return bytes;
  }

  FoundEncodings evaluate(const Choice& choice) const {
    FoundEncodings found{.pipeline = pipeline_of(choice), .bytes = 0, .predicted = 0, .measure = measure_};
    found.bytes = search_.count_bytes(found.pipeline);
    for (size_t i = 0; i < choice.size(); ++i) {
      found.predicted += items_[i][choice[i]].cost;
    }
    return found;
  }

  const SizeSearch& search_;
  SearchSpace space_;
  int64_t max_bytes_ = 0;
  std::vector<std::vector<Offer>> items_;
  Choice smallest_;
  std::string_view measure_;
};

}  // namespace

FoundEncodings search_encodings(const SizeSearch& search, const SearchKnowledge& known) {
  if (search.free_weights.empty()) {
    throw Error(Kind::usage, "there is no weight left whose encoding could be chosen");
  }
  return Searcher(search, known).find();
}

}  // namespace terse::passes
