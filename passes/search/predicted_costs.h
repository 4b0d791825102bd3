#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "passes/search/search_space.h"

namespace terse::passes {

/// What each option of each group is predicted to do to the model's outputs.
struct PredictedCosts {
  std::vector<std::vector<double>> costs;  ///< [groups][options], to be added up
  std::string_view measure;                ///< what they are: "KL divergence"
};

/// What predictions may look at beside the weights.
struct SearchKnowledge {
  const std::vector<calibration::Sample>* samples = nullptr;
  const SavedStatistics* statistics = nullptr;  ///< not together with samples
  std::function<void(std::string_view what, double done)> progress;
};

/// The errors of weights, each times what an error in a weight of its role costs.
PredictedCosts predict_costs(const Model& original, const SearchSpace& space, const SearchKnowledge& known);

}  // namespace terse::passes
