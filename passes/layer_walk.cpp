#include "passes/layer_walk.h"

#include <algorithm>
#include <map>
#include <optional>

#include "calibration/measured_layers.h"
#include "formats/error.h"
#include "passes/selection.h"

namespace terse::passes {
namespace {

double numbers(const Encoding& encoding) {
  return static_cast<double>(encoding.rows()) * static_cast<double>(encoding.columns());
}

/// Weights that a walk does not come by.
std::vector<ValueId> outside(const std::vector<calibration::Barrier>& barriers, std::vector<ValueId> weights) {
  for (const calibration::Barrier& barrier : barriers) {
    std::erase_if(weights, [&](ValueId id) { return std::ranges::find(barrier.weights, id) != barrier.weights.end(); });
  }
  return weights;
}

/// Of these weights, those that are read more than once.
std::vector<ValueId> repeated(const Graph& graph, std::vector<ValueId> weights) {
  const Dataflow dataflow(graph);
  std::erase_if(weights, [&](ValueId id) { return dataflow.uses(id).size() < 2; });
  return weights;
}

/// What files say of one weight after the other. X^T X is made once for weights that stand together.
class KnownInputs {
 public:
  /// Null: nothing is known of any weight.
  explicit KnownInputs(const SavedStatistics* statistics) : statistics_(statistics) {}

  /// Brings those together that have X^T X in common.
  void sort(const Graph& graph, std::vector<ValueId>& weights) const {
    std::map<std::string_view, size_t> first;
    std::vector<std::pair<size_t, ValueId>> places;
    for (size_t i = 0; i < weights.size(); ++i) {
      const SavedInputs* known = find_saved(graph.value(weights[i]));
      const bool shares = known != nullptr && known->products;
      places.emplace_back(shares ? first.emplace(known->products->owner, i).first->second : i, weights[i]);
    }
    std::ranges::stable_sort(places, {}, &std::pair<size_t, ValueId>::first);
    std::ranges::transform(places, weights.begin(), &std::pair<size_t, ValueId>::second);
  }

  /// Null: nothing. Valid until the next call.
  LayerInputs* find(const Value& value) {
    const SavedInputs* known = find_saved(value);
    if (known == nullptr) {
      return nullptr;
    }
    if (!known->products) {
      owner_.clear();
      inputs_.emplace(known->means);
    } else if (known->products->owner != owner_) {
      owner_ = known->products->owner;
      inputs_.reset();
      layer_.reset();
      layer_.emplace(to_statistics(*known->products));
      inputs_.emplace(*layer_);
    }
    return &*inputs_;
  }

 private:
  const SavedInputs* find_saved(const Value& value) const {
    if (statistics_ == nullptr) {
      return nullptr;
    }
    const auto found = statistics_->find(value.name);
    return found == statistics_->end() ? nullptr : &found->second;
  }

  const SavedStatistics* statistics_;
  std::string owner_;  ///< of `layer_`
  std::optional<calibration::Statistics> layer_;
  std::optional<LayerInputs> inputs_;
};

constexpr double kMeasuringPart = 0.25;  // of the time of two walks: the first solves little

class Visits {
 public:
  Visits(Graph& graph, const WeightVisitor& visit, const ProgressReport& progress)
      : graph_(graph), visit_(visit), progress_(progress) {}

  /// One by one.
  void visit_each(std::vector<ValueId> weights, const SavedStatistics* statistics) {
    KnownInputs known(statistics);
    known.sort(graph_, weights);
    double total = 0, done = 0;
    for (const ValueId id : weights) {
      total += numbers(*graph_.value(id).constant);
    }
    for (const ValueId id : weights) {
      const double count = numbers(*graph_.value(id).constant);
      LayerInputs* inputs = known.find(graph_.value(id));
      visit(id, inputs, [&](double part) { return (done + count * part) / total; });
      done += count;
    }
  }

  /// Gives those of the weights that it has visited.
  std::vector<ValueId> visit_measured(const Model& model, const std::vector<calibration::Sample>& samples,
                                      const std::vector<ValueId>& weights) {
    std::vector<ValueId> visited;
    const auto solve = [&](const calibration::MeasuredLayer& layer) {
      LayerInputs inputs(layer.statistics);
      for (const ValueId id : layer.weights) {
        visit(id, &inputs, [&](double /*part*/) { return start_; });
        visited.push_back(id);
      }
    };
    calibration::measure_layers(model, samples, weights, solve, [&](double walked) {
      start_ = kMeasuringPart * walked;
      report("weights that are used several times", start_);
    });
    return visited;
  }

  void visit_behind(calibration::Walk& walk) {
    const auto done = [&](double /*part*/) { return start_ + (1 - start_) * walk.done(); };
    walk.run([&](const calibration::Barrier& barrier, const calibration::Statistics& statistics) {
      LayerInputs inputs(statistics);
      for (const ValueId id : barrier.weights) {
        if (visit(id, &inputs, done)) {
          walk.replace(id, graph_.value(id).constant);
        }
      }
    });
  }

 private:
  void report(std::string_view what, double done) const {
    if (progress_) {
      progress_(what, done);
    }
  }

  /// Tells whether the weight has become another. `done`: the part of all work, by the part of this weight.
  bool visit(ValueId id, LayerInputs* inputs, const std::function<double(double)>& done) {
    Value& value = graph_.value(id);
    EncodingPtr found = with_context(fmt::format("weight '{}'", shown_name(value)), [&] {
      return visit_(
          {.id = id, .inputs = inputs, .report_progress = [&](double part) { report(shown_name(value), done(part)); }});
    });
    if (found == nullptr) {
      return false;
    }
    value.constant = std::move(found);
    return true;
  }

  Graph& graph_;
  const WeightVisitor& visit_;
  const ProgressReport& progress_;
  double start_ = 0;  ///< what was done before the walk that solves
};

}  // namespace

void visit_weights(Model& model, const std::vector<ValueId>& weights, const Sources& sources,
                   const WeightVisitor& visit, const ProgressReport& progress) {
  Visits visits(model.graph, visit, progress);
  if (sources.samples == nullptr) {
    visits.visit_each(weights, sources.statistics);
    return;
  }
  calibration::Walk walk(model, *sources.samples, weights);
  const std::vector<ValueId> others = outside(walk.barriers(), weights);
  std::vector<ValueId> unmeasured = others;
  std::vector<ValueId> several = repeated(model.graph, others);
  for (const auto& needs_none : {sources.is_known, sources.is_settled}) {
    if (needs_none) {
      std::erase_if(several, needs_none);
    }
  }
  if (!several.empty()) {
    for (const ValueId id : visits.visit_measured(model, *sources.samples, several)) {
      std::erase(unmeasured, id);
    }
  }
  visits.visit_each(unmeasured, nullptr);
  for (const ValueId id : others) {
    walk.replace(id, model.graph.value(id).constant);
  }
  if (sources.is_known) {
    std::vector<ValueId> known;
    std::ranges::copy_if(weights, std::back_inserter(known), sources.is_known);
    walk.skip_statistics(known);
  }
  visits.visit_behind(walk);
}

}  // namespace terse::passes
