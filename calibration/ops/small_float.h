#pragma once

#include "formats/tensor.h"

namespace terse::calibration {

/// What a number beyond the largest becomes: the largest, or infinity (NaN in types without infinity).
enum class Overflow : uint8_t { saturate, infinity };

/// True for the float types of 8 and 4 bits but f8e8m0.
bool is_small_float(DType dtype);

/// Exact.
Tensor small_to_f32(const Tensor& in);

/// Rounds to nearest, ties to even.
Tensor f32_to_small(const Tensor& in, DType dtype, Overflow overflow);

}  // namespace terse::calibration
