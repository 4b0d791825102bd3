#include "calibration/walk.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "calibration/broken_origin.h"
#include "calibration/kept_values.h"
#include "calibration/parallel.h"
#include "calibration/routed_rows.h"
#include "calibration/shared_values.h"
#include "calibration/token_weights.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kBatch = 8;    // samples whose barrier values are held in f32 at once
constexpr int64_t kHeldOut = 8;  // every so manieth sample judges

/// The rows of a value with `count` rows that are no padding.
std::vector<int64_t> find_tokens(const Sample& sample, int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  const auto mask = sample.find("attention_mask");
  if (mask != sample.end() && mask->second.count() == count && is_integer(mask->second.dtype())) {
    const std::vector<int64_t> is_token = to_int64s(mask->second);
    std::erase_if(rows, [&](int64_t row) { return is_token[static_cast<size_t>(row)] == 0; });
  }
  return rows;
}

/// What a sample brings to a barrier: [tokens, columns] in f32.
struct Rows {
  Tensor values;
  std::vector<float> weights;
  bool finite = true;
  int64_t tokens = 0;  ///< that the sample has
};

/// The given rows of a matrix; itself if these are all.
Tensor select_rows(const Tensor& matrix, int64_t columns, const std::vector<int64_t>& rows) {
  if (std::ssize(rows) * columns == matrix.count()) {
    return matrix;
  }
  Tensor selected = Tensor::uninitialized(DType::f32, {std::ssize(rows), columns});
  float* to = selected.mutable_values<float>().data();
  for (const int64_t row : rows) {
    to = std::copy_n(matrix.values<float>().data() + row * columns, columns, to);
  }
  return selected;
}

Rows gather(const Tensor& value, const std::vector<Tensor>& passing, const Sample& sample) {
  const Tensor floats = to_f32(value);
  const int64_t columns = floats.shape().back(), count = floats.count() / std::max<int64_t>(columns, 1);
  const std::vector<int64_t> tokens = find_tokens(sample, count);
  Tensor values = select_rows(floats, columns, tokens);
  const bool finite = is_finite(values.values<float>());
  return {.values = std::move(values),
          .weights = token_weights(passing, count, tokens),
          .finite = finite,
          .tokens = std::ssize(tokens)};
}

/// Tokens of a value in which each has a row, or as many neighbouring ones as it has experts.
int64_t count_tokens(const Sample& sample, int64_t rows) {
  const auto mask = sample.find("attention_mask");
  const int64_t tokens = mask == sample.end() ? rows : mask->second.count();
  return tokens > 0 && rows % tokens == 0 ? tokens : rows;
}

/// How much the rows of such a value count: 0 for padding.
std::vector<float> weigh_rows(int64_t rows, const std::vector<Tensor>& passing, const Sample& sample) {
  const int64_t count = count_tokens(sample, rows);
  const std::vector<int64_t> tokens = find_tokens(sample, count);
  const std::vector<float> weights = token_weights(passing, count, tokens);
  std::vector<float> by_row(static_cast<size_t>(rows));
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::fill_n(by_row.begin() + tokens[i] * (rows / count), rows / count, weights[i]);
  }
  return by_row;
}

/// The rows of a matrix that count at all.
Rows select_counted(const Tensor& value, std::span<const float> weights) {
  Rows rows;
  std::vector<int64_t> counted;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) {
      counted.push_back(static_cast<int64_t>(i));
      rows.weights.push_back(weights[i]);
    }
  }
  rows.values = select_rows(to_f32(value), value.shape().back(), counted);
  return rows;
}

int64_t rows_of(const Tensor& value) { return value.count() / std::max<int64_t>(value.shape().back(), 1); }

/// The outputs that are worth computing: not the keys and values that a cache would take. What is to be kept besides.
std::vector<std::string> roots_of(const Graph& graph, std::vector<std::string> roots) {
  for (const ValueId id : graph.main.outputs) {
    if (!graph.value(id).name.starts_with("present")) {
      roots.push_back(graph.value(id).name);
    }
  }
  return roots;
}

}  // namespace

class Walk::Impl {
 public:
  Impl(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights, ScarceRows scarce)
      : routed_(model.graph, weights),
        plan_(model, roots_of(model.graph, routed_.kept_values(model.graph)), Residency::keep, fast_precision()),
        barriers_(find_barriers(plan_, weights)),
        samples_(samples),
        shared_(plan_, samples),
        kept_(samples.size()),
        scarce_(scarce) {
    routed_.set_barriers(plan_, barriers_);
  }

  const std::vector<Barrier>& barriers() const { return barriers_; }
  Constants& constants() { return plan_.constants(); }
  void skip_statistics(const std::vector<ValueId>& weights) { skipped_.insert(weights.begin(), weights.end()); }
  double done() const { return static_cast<double>(next_) / static_cast<double>(plan_.steps().size()); }

  /// Runs all samples up to the barrier.
  Statistics advance(const Barrier& barrier) {
    const bool is_wanted = wants(barrier);
    const int64_t columns = is_wanted ? plan_.constants().find(barrier.weights.front())->columns() : 0;
    Statistics statistics{.solving = Gram(columns, fast_precision()), .held_out = Gram(columns, fast_precision())};
    double tokens = 0, weight = 0;
    add_samples(
        statistics, [&](size_t index) { return run_sample(index, barrier); },
        [&](const Rows& rows, size_t index) {
          check_finite(rows, index, barrier);
          tokens += static_cast<double>(rows.tokens);
          weight = std::accumulate(rows.weights.begin(), rows.weights.end(), weight);
        });
    const Routing* routing = routed_.find(barrier);
    if (is_wanted && routing != nullptr && scarce_ == ScarceRows::fill_up && statistics.solving.rows() < columns) {
      const double rows = static_cast<double>(statistics.solving.rows() + statistics.held_out.rows());
      fill_up(barrier, *routing, tokens, rows > 0 ? weight / rows : 1, statistics);
    }
    statistics.solving.finish();
    statistics.held_out.finish();
    drop_weights(barrier.step);
    next_ = barrier.step;
    return statistics;
  }

 private:
  /// Adds every eighth sample's rows to those that judge, the others' to those that are solved from, in their order.
  void add_samples(Statistics& statistics, const std::function<Rows(size_t)>& run,
                   const std::function<void(const Rows&, size_t)>& see) {
    const auto count = static_cast<int64_t>(samples_.size());
    for (int64_t first = 0; first < count; first += kBatch) {
      std::vector<Rows> batch(static_cast<size_t>(std::min(kBatch, count - first)));
      parallel_for(static_cast<int64_t>(batch.size()),
                   [&](int64_t i) { batch[static_cast<size_t>(i)] = run(static_cast<size_t>(first + i)); });
      for (size_t i = 0; i < batch.size(); ++i) {
        if (!batch[i].values.empty()) {
          const auto index = static_cast<size_t>(first) + i;
          see(batch[i], index);
          const bool judges = count >= kHeldOut && static_cast<int64_t>(index) % kHeldOut == kHeldOut - 1;
          (judges ? statistics.held_out : statistics.solving).add(batch[i].values.values<float>(), batch[i].weights);
        }
      }
    }
  }

  /// Adds what the expert would see if all tokens were routed to it, as so many rows as it lacks columns.
  void fill_up(const Barrier& barrier, const Routing& routing, double tokens, double weight, Statistics& statistics) {
    const int64_t columns = statistics.solving.columns(), rows = statistics.solving.rows();
    statistics.note = "fewer rows are routed to it than it has columns, filled up with what it would see of all tokens";
    const double factor = weight * static_cast<double>(columns - rows) / std::max(tokens, 1.0);
    const std::vector<size_t> inside = RoutedRows::steps_inside(routing, barrier, plan_);
    add_samples(
        statistics,
        [&](size_t index) {
          Frame frame = plan_.make_frame();
          load_sample(plan_, samples_[index], frame);
          shared_.load(samples_[index], frame);
          (void)kept_[index].load(frame);
          const Tensor value = RoutedRows::for_all_tokens(routing, barrier, inside, plan_, frame);
          std::vector<float> weights = weigh_rows(rows_of(value), {}, samples_[index]);
          for (float& counted : weights) {
            counted *= static_cast<float>(factor);
          }
          return select_counted(value, weights);
        },
        [](const Rows& /*rows*/, size_t /*index*/) {});
  }

  Rows run_sample(size_t index, const Barrier& barrier) {
    Frame frame = plan_.make_frame();
    load_sample(plan_, samples_[index], frame);
    shared_.load(samples_[index], frame);
    std::vector<ValueId> live = kept_[index].load(frame);
    for (size_t i = next_; i < barrier.step; ++i) {
      if (!shared_.is_shared(i)) {
        plan_.run(plan_.steps()[i], frame);
        const auto& outputs = plan_.steps()[i].node->outputs;
        live.insert(live.end(), outputs.begin(), outputs.end());
      }
    }
    std::erase_if(live, [&](ValueId id) { return id == kNoValue || frame[static_cast<size_t>(id)].empty(); });
    Rows rows = wants(barrier) ? gather_rows(barrier, live, frame, samples_[index]) : Rows();
    std::erase_if(live, [&](ValueId id) { return routed_.is_done_with(id, barrier.step); });
    kept_[index].store(live, frame);
    return rows;
  }

  bool wants(const Barrier& barrier) const {
    return !std::ranges::all_of(barrier.weights, [&](ValueId id) { return skipped_.contains(id); });
  }

  Rows gather_rows(const Barrier& barrier, const std::vector<ValueId>& live, const Frame& frame,
                   const Sample& sample) const {
    const Tensor& value = plan_.read(barrier.value, frame);
    const Routing* routing = routed_.find(barrier);
    if (routing == nullptr) {
      return gather(value, passing(live, barrier.value, frame), sample);
    }
    const std::vector<float> by_row =
        weigh_rows(rows_of(plan_.read(routing->all, frame)), passing(live, routing->all, frame), sample);
    CountedRows counted = RoutedRows::counted(*routing, plan_, frame, by_row);
    Tensor values = select_rows(to_f32(value), value.shape().back(), counted.rows);
    const bool finite = is_finite(values.values<float>());
    return {.values = std::move(values),
            .weights = std::move(counted.weights),
            .finite = finite,
            .tokens = std::ssize(by_row) - std::ranges::count(by_row, 0.0F)};
  }

  /// The values beside this one.
  static std::vector<Tensor> passing(const std::vector<ValueId>& live, ValueId value, const Frame& frame) {
    std::vector<Tensor> values;
    for (const ValueId id : live) {
      if (id != value) {
        values.push_back(frame[static_cast<size_t>(id)]);
      }
    }
    return values;
  }

  /// Not while samples run.
  void check_finite(const Rows& rows, size_t sample, const Barrier& barrier) {
    if (!rows.finite) {
      throw explain_broken(plan_, samples_[sample], barrier.value, barrier.step)
          .within(fmt::format("calibration sample {}", sample));
    }
  }

  /// Weights were decoded for the steps that all samples have behind them.
  void drop_weights(size_t end) {
    for (size_t i = next_; i < end; ++i) {
      if (plan_.steps()[i].packed_weight != kNoValue) {
        plan_.constants().drop(plan_.steps()[i].packed_weight);
      }
    }
  }

  RoutedRows routed_;
  Plan plan_;
  std::vector<Barrier> barriers_;
  const std::vector<Sample>& samples_;
  SharedValues shared_;
  std::vector<KeptValues> kept_;  ///< by sample
  std::set<ValueId> skipped_;     ///< weights of whose inputs nobody asks
  ScarceRows scarce_;
  size_t next_ = 0;  ///< the step to go on with
};

Walk::Walk(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
           ScarceRows scarce)
    : impl_(std::make_unique<Impl>(model, samples, weights, scarce)) {}
Walk::~Walk() = default;

const std::vector<Barrier>& Walk::barriers() const { return impl_->barriers(); }

void Walk::replace(ValueId weight, EncodingPtr encoding) { impl_->constants().replace(weight, std::move(encoding)); }

void Walk::skip_statistics(const std::vector<ValueId>& weights) { impl_->skip_statistics(weights); }

void Walk::run(const std::function<void(const Barrier&, const Statistics&)>& visit) {
  for (const Barrier& barrier : barriers()) {
    visit(barrier, impl_->advance(barrier));
  }
}

double Walk::done() const { return impl_->done(); }

}  // namespace terse::calibration
