#pragma once

#include "passes/search/search_space.h"
#include "passes/solvers/layer.h"

namespace terse::passes {

/// How a weight is disturbed.
struct Probing {
  EncodingPtr rounded;
  double error = 0;     ///< that rounding makes of the layer's outputs, relative and squared
  double strength = 1;  ///< how many times its error is added

  double strengthened_error() const { return error * strength * strength; }
};

/// The disturbance of a weight: what the solver makes of it in the option that errs about as much as errors should for
/// a probe, and the strength that makes it just so. By the solver that will be used, since errors that were made up for
/// lie elsewhere than plain ones: what plain rounding does to outputs would be counted for the wrong tokens. Large
/// enough to stand out from rounding in products, small enough that outputs move in proportion. Nothing if the weight
/// can only stay as it is.
std::optional<Probing> choose_probing(const EncodingPtr& weight, const std::vector<EncodingOption>& options,
                                      std::string_view solver, LayerInputs* inputs);

/// W + strength * (Q - W), dense.
EncodingPtr disturb(const EncodingPtr& weight, const Probing& probing);

/// The first samples, up to so many tokens.
std::vector<calibration::Sample> probing_samples(const std::vector<calibration::Sample>& samples, int64_t tokens);

}  // namespace terse::passes
