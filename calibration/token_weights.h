#pragma once

#include <cstdint>
#include <vector>

#include "formats/tensor.h"

namespace terse::calibration {

/// How much each token's error counts among those of its sample: the norm of what passes the linears by (the residual
/// stream) relative to the sample's median token; where several values pass by, the largest ratio.
///
/// Why: after normalisation all tokens look equally large to a linear, but some are not. Attention sinks (the first
/// token, some delimiters) carry a residual a hundred times the others', nearly every head reads them, and they are one
/// row in hundreds of X^T X: compensation trades their accuracy away unless they count as what they are. Where no token
/// stands out (post-norm encoders) all weights are near 1.
/// Measured: 4-bit SmolLM2-135M, blocks of 32, calibrated on 32 windows of 256 tokens: KL divergence 0.183 nats with
/// equal weights, 0.147 with the first token counted 100 times, 0.146 so. Shapes:   `passing`: floats [..., width] with
/// `tokens` rows each, those of width 1 are left out; `rows`: which tokens are
///           asked for (no padding). The result has one entry each.
std::vector<float> token_weights(const std::vector<Tensor>& passing, int64_t tokens, const std::vector<int64_t>& rows);

}  // namespace terse::calibration
