#pragma once

#include <cstdint>

#include "formats/half.h"

namespace terse::calibration {

// Functions of runs of floats, with the widest vectors that the processor has (Highway). `out` may be `in`. Infinities
// and NaN as the C library has them. The bits of an element depend on its value and on the instruction set alone.

/// At most 2 units in the last place from the exact value, subnormal results aside.
void vector_exp(const float* in, float* out, int64_t count);
void vector_tanh(const float* in, float* out, int64_t count);
void vector_erf(const float* in, float* out, int64_t count);

/// 1 / (1 + exp(-x))
void vector_sigmoid(const float* in, float* out, int64_t count);
/// x / (1 + exp(-x))
void vector_silu(const float* in, float* out, int64_t count);
/// x / 2 * (1 + erf(x / sqrt(2)))
void vector_gelu(const float* in, float* out, int64_t count);
/// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
void vector_gelu_tanh(const float* in, float* out, int64_t count);

/// The largest element; NaN if one is. count > 0.
float vector_max(const float* in, int64_t count);
/// Sums in f32, a partial sum a lane.
float vector_sum(const float* in, int64_t count);
/// sum of (x - center)^2
float vector_squared_sum(const float* in, float center, int64_t count);
/// out = exp(in - shift); returns the sum of out.
float vector_exp_sum(const float* in, float shift, float* out, int64_t count);

/// out = in * factor, rounded as to_bfloat16 does; equal bits on every instruction set.
void vector_to_bfloat16(const float* in, float factor, BFloat16* out, int64_t count);

}  // namespace terse::calibration
