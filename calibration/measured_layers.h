#pragma once

#include <functional>
#include <vector>

#include "calibration/walk.h"

namespace terse::calibration {

/// Weights that are multiplied with the same values, and what samples look like there: over all uses, if weights are
/// used several times.
struct MeasuredLayer {
  const std::vector<ValueId>& weights;
  const Statistics& statistics;
};

/// The measuring walk: takes the samples through the model as it is and shows each layer when its last use has been
/// reached. Only linear uses count: of a table that is also the head, those of the head. (The rows that Gather looks up
/// are how often tokens occur: they weigh rows against each other, not columns, and each row is solved by itself.)
/// Weights without a linear use are not shown.
/// Memory:  as of Walk, and the statistics of weights between their first and last use.
/// Errors:  those of Walk.
void measure_layers(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
                    const std::function<void(const MeasuredLayer&)>& visit,
                    const std::function<void(double done)>& report = {}, Sums sums = Sums::products);

}  // namespace terse::calibration
