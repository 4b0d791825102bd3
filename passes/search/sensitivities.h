#pragma once

#include "passes/search/search_space.h"
#include "passes/solvers/layer.h"

namespace terse::passes {

/// How a weight was, or is to be, disturbed.
struct Probing {
  PassCall call;        ///< rounds it
  double error = 0;     ///< that this makes of the layer's outputs, relative and squared
  double strength = 1;  ///< how many times its error is added

  double strengthened_error() const { return error * strength * strength; }
};

/// The disturbance of a weight: of the options the one that errs about as much as errors should for a probe, and the
/// strength that makes it just so. Large enough to stand out from rounding in products, small enough that the outputs
/// move in proportion. `errors`: of the options, by rounding to the nearest, judged as `judge` does.
std::optional<Probing> choose_probing(const EncodingPtr& weight, const std::vector<EncodingOption>& options,
                                      LayerInputs* inputs);

/// W + strength * (Q - W), dense.
EncodingPtr disturb(const EncodingPtr& weight, const Probing& probing);

/// The samples that probing needs: the first ones, some 2,000 tokens.
std::vector<calibration::Sample> probing_samples(const std::vector<calibration::Sample>& samples);

}  // namespace terse::passes
