#pragma once

#include <cstdint>

#include "formats/tensor.h"

namespace terse {

/// A float type of 8 or 4 bits: sign, exponent, mantissa, as IEEE 754 has them with more bits.
/// Source: Micikevicius et al. 2022, FP8 formats for deep learning, arXiv:2209.05433; the "uz" forms and f4e2m1 as in
///         ONNX's documentation (docs/docsgen/source/technical/float8.md, float4.md).
struct SmallFloat {
  enum class Specials : uint8_t {
    infinity_and_nan,  ///< as IEEE 754: the largest exponent
    nan,               ///< all ones
    unsigned_nan,      ///< minus zero
    none,
  };

  DType dtype;
  int exponent_bits, mantissa_bits, bias;
  Specials specials;
  float largest;

  int sign_bit() const { return 1 << (exponent_bits + mantissa_bits); }
};

/// Null for other types, f8e8m0 among them, which has no sign.
const SmallFloat* find_small_float(DType dtype);

/// Exact.
float decode_small_float(const SmallFloat& type, int code);

}  // namespace terse
