#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "calibration/executor.h"
#include "formats/model.h"
#include "passes/saved_statistics.h"
#include "passes/solvers/layer.h"

namespace terse::passes {

/// What is known of weights' inputs beside the model: samples to run it on, or statistics, or nothing.
struct Sources {
  const std::vector<calibration::Sample>* samples = nullptr;
  const SavedStatistics* statistics = nullptr;
  std::function<bool(ValueId)> is_known = {};  ///< weights that the visitor knows without their inputs; empty: none
  /// Weights that knowing their inputs would change too little for a walk of their own; empty: none. Costs time.
  std::function<bool(ValueId)> is_settled = {};
};

/// A weight whose turn has come.
struct VisitedWeight {
  ValueId id = kNoValue;
  LayerInputs* inputs = nullptr;                ///< what is known of its inputs; null: nothing
  std::function<void(double)> report_progress;  ///< the part of this weight that is done
};

/// What the weight becomes, for the model and for all that the walk computes after it; null: it stays what it is.
using WeightVisitor = std::function<EncodingPtr(const VisitedWeight& weight)>;

using ProgressReport = std::function<void(std::string_view what, double done)>;

/// Brings each of the weights together with what is known of its inputs. With samples, first the weights that are used
/// several times, each with the statistics of all its linear uses in the model as it is (calibration/measured_layers.h:
/// a walk of its own, only if there are any that are not settled); then those that no linear uses; then those behind
/// each barrier in the order of the walk (calibration/walk.h), which sees what became of all before. Without samples in
/// their own order, but for those that have X^T X of files in common: they follow the first of them. A visitor that
/// always gives null measures the model as it is. Errors:  those of the walks; those of `visit`, with the weight's
/// display name.
void visit_weights(Model& model, const std::vector<ValueId>& weights, const Sources& sources,
                   const WeightVisitor& visit, const ProgressReport& progress);

}  // namespace terse::passes
