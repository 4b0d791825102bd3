#pragma once

#include <cstdint>
#include <span>

namespace terse {

/// IEEE 754 binary16 and bfloat16 as stored; arithmetic is done in float.
struct Half {
  uint16_t bits = 0;
  friend bool operator==(Half, Half) = default;
};
struct BFloat16 {
  uint16_t bits = 0;
  friend bool operator==(BFloat16, BFloat16) = default;
};

/// Exact.
float to_float(Half value);
float to_float(BFloat16 value);

/// Round to nearest, ties to even; overflow gives infinity, NaN stays NaN.
Half to_half(float value);
BFloat16 to_bfloat16(float value);

/// The same for runs of numbers, written so that compilers vectorise them. Both spans have equal length.
void to_float(std::span<const Half> in, std::span<float> out);
void to_float(std::span<const BFloat16> in, std::span<float> out);
void to_half(std::span<const float> in, std::span<Half> out);
void to_bfloat16(std::span<const float> in, std::span<BFloat16> out);

}  // namespace terse
