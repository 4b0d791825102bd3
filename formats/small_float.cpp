#include "formats/small_float.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace terse {
namespace {

constexpr std::array kRows = {
    SmallFloat{DType::f8e4m3fn, 4, 3, 7, SmallFloat::Specials::nan, 448},
    SmallFloat{DType::f8e4m3fnuz, 4, 3, 8, SmallFloat::Specials::unsigned_nan, 240},
    SmallFloat{DType::f8e5m2, 5, 2, 15, SmallFloat::Specials::infinity_and_nan, 57344},
    SmallFloat{DType::f8e5m2fnuz, 5, 2, 16, SmallFloat::Specials::unsigned_nan, 57344},
    SmallFloat{DType::f4e2m1, 2, 1, 1, SmallFloat::Specials::none, 6},
};

bool is_nan(const SmallFloat& type, int code) {
  const int magnitude = code & (type.sign_bit() - 1);
  switch (type.specials) {
    case SmallFloat::Specials::infinity_and_nan:
      return magnitude > ((1 << type.exponent_bits) - 1) << type.mantissa_bits;
    case SmallFloat::Specials::nan:
      return magnitude == type.sign_bit() - 1;
    case SmallFloat::Specials::unsigned_nan:
      return code == type.sign_bit();
    default:
      return false;
  }
}

}  // namespace

const SmallFloat* find_small_float(DType dtype) {
  const auto* found = std::ranges::find(kRows, dtype, &SmallFloat::dtype);
  return found == kRows.end() ? nullptr : found;
}

float decode_small_float(const SmallFloat& type, int code) {
  if (is_nan(type, code)) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  const int exponent = (code & (type.sign_bit() - 1)) >> type.mantissa_bits;
  const int mantissa = code & ((1 << type.mantissa_bits) - 1);
  const int implicit_one = exponent == 0 ? 0 : 1 << type.mantissa_bits;
  float magnitude =
      std::ldexp(static_cast<float>(mantissa + implicit_one), std::max(exponent, 1) - type.bias - type.mantissa_bits);
  if (type.specials == SmallFloat::Specials::infinity_and_nan && exponent == (1 << type.exponent_bits) - 1) {
    magnitude = std::numeric_limits<float>::infinity();
  }
  return (code & type.sign_bit()) != 0 ? -magnitude : magnitude;
}

}  // namespace terse
