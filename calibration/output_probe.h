#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "calibration/executor.h"

namespace terse::calibration {

/// How far a row of an output is from what it was. The seam where another measure goes in.
struct OutputMeasure {
  std::string_view name;
  double (*distance)(std::span<const float> reference, std::span<const float> tested);
};

/// KL divergence of the softmax where the model's output are `logits`, else the squared difference relative to the
/// reference's squares.
const OutputMeasure& measure_for(const Model& model);

/// Weights that become others at the same time.
struct Perturbation {
  std::vector<ValueId> weights;
};

/// Measures what single weights do to a model's outputs: the model runs once as it is; in front of each weight's first
/// use it is continued with another encoding of that weight, to the end, and the outputs are compared.
/// Cost:    half a run over the samples for each perturbation, on average.
/// Memory:  all weights, as for evaluation; the live values of all samples; up to 128 rows of each sample's output.
/// Results: the same digits on any number of threads.
class OutputProbe {
 public:
  /// `model` and `samples` must outlive it. Errors: those of Plan.
  OutputProbe(const Model& model, const std::vector<Sample>& samples);
  ~OutputProbe();
  OutputProbe(const OutputProbe&) = delete;
  OutputProbe& operator=(const OutputProbe&) = delete;

  /// Gives the mean distance of the outputs' rows (no padding) for each perturbation; 0 for weights that are not used.
  ///   perturbed  what a weight becomes, asked for once a weight
  ///   progress   told the part that is done; may be empty
  std::vector<double> run(const std::vector<Perturbation>& perturbations,
                          const std::function<EncodingPtr(ValueId)>& perturbed,
                          const std::function<void(double)>& progress);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace terse::calibration
