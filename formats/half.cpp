#include "formats/half.h"

#include <bit>
#include <cassert>
#include <cstddef>

namespace terse {
namespace {

constexpr float kTwoPow112 = 0x1p112F;  // moves a half's exponent (bias 15) to a float's (bias 127)

/// `condition ? a : b` without a branch, so that loops over it vectorise.
uint32_t select(bool condition, uint32_t a, uint32_t b) { return condition ? a : b; }

}  // namespace

float to_float(Half value) {
  const uint32_t magnitude = static_cast<uint32_t>(value.bits & 0x7fffU) << 13;
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000U) << 16;
  const uint32_t finite = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * kTwoPow112);
  const uint32_t infinite_or_nan = magnitude | 0x7f800000U;
  return std::bit_cast<float>(sign | select(magnitude >= (0x7c00U << 13), infinite_or_nan, finite));
}

float to_float(BFloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

Half to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffU;
  const uint32_t sign = (bits >> 16) & 0x8000U;
  // Adding 0.5 puts a subnormal half's last place at the float's last place: the addition rounds it.
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000U;
  const uint32_t odd = (magnitude >> 13) & 1U;
  const uint32_t normal = (magnitude + 0xc8000fffU + odd) >> 13;  // 0xc8000fff = -(112 << 23) + 0xfff
  const uint32_t finite = select(magnitude < 0x38800000U, subnormal, normal);
  const uint32_t special = select(magnitude > 0x7f800000U, 0x7e00U, 0x7c00U);
  return Half{static_cast<uint16_t>(sign | select(magnitude >= 0x477ff000U, special, finite))};
}

BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const uint32_t nan = (bits >> 16) | 0x40U;
  return BFloat16{static_cast<uint16_t>(select((bits & 0x7fffffffU) > 0x7f800000U, nan, rounded))};
}

void to_half(std::span<const float> in, std::span<Half> out) {
  assert(in.size() == out.size());
  for (size_t i = 0; i < in.size(); ++i) {
    out[i] = to_half(in[i]);
  }
}

void to_bfloat16(std::span<const float> in, std::span<BFloat16> out) {
  assert(in.size() == out.size());
  for (size_t i = 0; i < in.size(); ++i) {
    out[i] = to_bfloat16(in[i]);
  }
}

}  // namespace terse
