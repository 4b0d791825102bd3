#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "calibration/executor.h"
#include "passes/layer_walk.h"

namespace terse::passes {

/// What a pass of Stage::measured has to decide by.
struct Measuring {
  bool plan_only = false;                                     ///< only sizes matter: decide by nothing
  const std::vector<calibration::Sample>* samples = nullptr;  ///< null: there are none
  ProgressReport progress;                                    ///< may be empty
  /// What the report is to say of a weight, by its name in the graph.
  std::function<void(std::string_view weight, std::string note)> note;
};

}  // namespace terse::passes
