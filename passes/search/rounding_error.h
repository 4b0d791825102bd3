#pragma once

#include "passes/pass.h"
#include "passes/solvers/layer.h"

namespace terse::passes {

/// Rows of a weight, evenly spread, at most `count`: what encodings make of these they make of the others. Dense, bf16
/// if the weight is, else f32.
EncodingPtr sample_rows(const Encoding& weight, int64_t count);

/// What a pass does to a weight, relative and squared: |W - Q|^2 / |W|^2 by rounding to the nearest, or with `inputs`
/// (null: none) the error of the layer's outputs by the solver of that name.
double rounding_error(const EncodingPtr& weight, const PassCall& call, std::string_view solver, LayerInputs* inputs);

}  // namespace terse::passes
