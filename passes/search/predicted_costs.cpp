#include "passes/search/predicted_costs.h"

#include <algorithm>
#include <map>

#include "calibration/output_probe.h"
#include "passes/layer_walk.h"
#include "passes/search/rounding_error.h"
#include "passes/search/sensitivities.h"
#include "passes/selection.h"

namespace terse::passes {
namespace {

constexpr int64_t kSolvedRows = 64;      // of a weight, to try each option on: options differ by more than these miss
constexpr int64_t kRoundedRows = 512;    // of one that is only rounded, which costs little
constexpr size_t kMeasuredSamples = 32;  // X^T X is good enough to compare encodings long before it is to solve by
constexpr double kProbingWork = 3e13;    // multiplications: about a minute on two cores
constexpr double kFewestTokens = 1024, kMostTokens = 16'384;
constexpr std::string_view kSolver = "descent";

/// What was found out about one weight.
struct Measured {
  std::vector<double> errors;      ///< of the group's options
  std::optional<Probing> probing;  ///< nullopt: it can only stay as it is
};

class Predictor {
 public:
  Predictor(const Model& original, const SearchSpace& space, const SearchKnowledge& known)
      : original_(original), space_(space), known_(known) {
    for (const WeightGroup& group : space.groups) {
      for (const ValueId id : group.weights) {
        group_of_[id] = &group;
        weights_.push_back(id);
      }
    }
    std::ranges::sort(weights_);
  }

  PredictedCosts predict() {
    measure_errors();
    const std::vector<double> sensitivities = known_.samples == nullptr ? assume() : probe();
    PredictedCosts predicted{.costs = {}, .measure = measure_};
    for (size_t i = 0; i < space_.groups.size(); ++i) {
      predicted.costs.push_back(costs_of(space_.groups[i], sensitivities[i]));
    }
    return predicted;
  }

 private:
  void report(std::string_view what, double done) const {
    if (known_.progress) {
      known_.progress(what, done);
    }
  }

  /// The walk over the unmodified model.
  void measure_errors() {
    Model model = original_;
    std::vector<calibration::Sample> samples;
    Sources sources{.samples = nullptr, .statistics = known_.statistics};
    if (known_.samples != nullptr) {
      const auto count = static_cast<std::ptrdiff_t>(std::min(kMeasuredSamples, known_.samples->size()));
      samples.assign(known_.samples->begin(), known_.samples->begin() + count);
      sources.samples = &samples;
    }
    visit_weights(
        model, weights_, sources,
        [&](const VisitedWeight& weight) -> EncodingPtr {
          measured_[weight.id] = measure(weight);
          return nullptr;
        },
        [&](std::string_view, double done) { report("search: errors of encodings", done); });
  }

  Measured measure(const VisitedWeight& visited) const {
    const EncodingPtr& weight = original_.graph.value(visited.id).constant;
    const std::vector<EncodingOption>& options = group_of_.at(visited.id)->options;
    const EncodingPtr rows = sample_rows(*weight, visited.inputs == nullptr ? kRoundedRows : kSolvedRows);
    Measured measured;
    for (const EncodingOption& option : options) {
      measured.errors.push_back(
          option.call ? round_weight(rows, *option.call, solver_for(visited), visited.inputs).error : 0);
    }
    if (known_.samples != nullptr) {
      measured.probing = choose_probing(weight, options, solver_for(visited), visited.inputs);
    }
    return measured;
  }

  static std::string_view solver_for(const VisitedWeight& visited) {
    if (visited.inputs == nullptr) {
      return "nearest";
    }
    return visited.inputs->knowledge() == Knowledge::products ? kSolver : "weighted";
  }

  std::vector<double> assume() {
    measure_ = "relative error";
    return std::vector<double>(space_.groups.size(), 1.0);
  }

  /// What a relative error of 1 in all weights of a group would do to the outputs if they moved in proportion.
  std::vector<double> probe() {
    std::vector<calibration::Perturbation> perturbations;
    for (const WeightGroup& group : space_.groups) {
      perturbations.push_back({});
      std::ranges::copy_if(group.weights, std::back_inserter(perturbations.back().weights),
                           [&](ValueId id) { return measured_.at(id).probing.has_value(); });
    }
    const std::vector<calibration::Sample> samples = probing_samples(*known_.samples, probing_tokens());
    calibration::OutputProbe outputs(original_, samples);
    std::vector<double> sensitivities = outputs.run(
        perturbations,
        [&](ValueId id) { return disturb(original_.graph.value(id).constant, *measured_.at(id).probing); },
        [&](double done) { report("search: what weights do to outputs", done); });
    for (size_t i = 0; i < sensitivities.size(); ++i) {
      double error = 0;
      for (const ValueId id : perturbations[i].weights) {
        error += measured_.at(id).probing->strengthened_error();
      }
      sensitivities[i] = error > 0 ? sensitivities[i] / error : 0;
    }
    measure_ = calibration::measure_for(original_).name;
    return sensitivities;
  }

  /// Half the model runs for each group; a number is a multiplication for each token.
  int64_t probing_tokens() const {
    double numbers = 0;
    for (const ValueId id : matrices(original_.graph)) {
      const Encoding& weight = *original_.graph.value(id).constant;
      numbers += static_cast<double>(weight.rows()) * static_cast<double>(weight.columns());
    }
    const double a_token = numbers * static_cast<double>(space_.groups.size()) / 2;
    return static_cast<int64_t>(std::clamp(kProbingWork / a_token, kFewestTokens, kMostTokens));
  }

  std::vector<double> costs_of(const WeightGroup& group, double sensitivity) const {
    std::vector<double> costs(group.options.size());
    for (const ValueId id : group.weights) {
      for (size_t i = 0; i < costs.size(); ++i) {
        costs[i] += sensitivity * measured_.at(id).errors[i];
      }
    }
    return costs;
  }

  const Model& original_;
  const SearchSpace& space_;
  const SearchKnowledge& known_;
  std::map<ValueId, const WeightGroup*> group_of_;
  std::vector<ValueId> weights_;
  std::map<ValueId, Measured> measured_;
  std::string_view measure_;
};

}  // namespace

PredictedCosts predict_costs(const Model& original, const SearchSpace& space, const SearchKnowledge& known) {
  return Predictor(original, space, known).predict();
}

}  // namespace terse::passes
