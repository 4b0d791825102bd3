#pragma once

#include <functional>
#include <optional>
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
class MeasuringWalk {
 public:
  /// `samples` must outlive it. Experts that few rows are routed to are filled up (see Walk) where X^T X is summed.
  MeasuringWalk(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
                Sums sums = Sums::products);

  /// The weights of each layer, in the order in which `run` shows them.
  std::vector<std::vector<ValueId>> layers() const;

  /// Once. `report` as in Walk; may be empty.
  void run(const std::function<void(const MeasuredLayer&)>& visit, const std::function<void(double done)>& report = {});

 private:
  struct Layer {
    std::vector<size_t> uses;  ///< barriers by index, one for each use
    std::vector<ValueId> weights;
    std::optional<Statistics> merged;  ///< of the uses so far, if there are several
  };
  static std::vector<Layer> find_layers(const std::vector<Barrier>& barriers);
  static void note_use(size_t barrier, const Statistics& statistics, Layer& layer,
                       const std::function<void(const MeasuredLayer&)>& visit);

  Walk walk_;
  std::vector<Layer> layers_;
};

/// Runs one.
void measure_layers(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
                    const std::function<void(const MeasuredLayer&)>& visit,
                    const std::function<void(double done)>& report = {}, Sums sums = Sums::products);

}  // namespace terse::calibration
