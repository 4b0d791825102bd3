#pragma once

#include "passes/pass.h"
#include "passes/solvers/layer.h"

namespace terse::passes {

/// Rows of a weight, evenly spread, at most `count`: what encodings make of these they make of the others. Dense, bf16
/// if the weight is, else f32.
EncodingPtr sample_rows(const Encoding& weight, int64_t count);

struct Rounded {
  Encoding encoding;
  double error = 0;  ///< relative and squared: of the layer's outputs, without inputs of the weight
};

/// What a pass makes of a weight by the solver of that name; `inputs` may be null for one that needs none.
Rounded round_weight(const EncodingPtr& weight, const PassCall& call, std::string_view solver, LayerInputs* inputs);

}  // namespace terse::passes
