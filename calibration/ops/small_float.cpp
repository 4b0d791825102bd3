#include "calibration/ops/small_float.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "calibration/ops/arguments.h"

// Micikevicius et al. 2022, FP8 formats for deep learning, arXiv:2209.05433; the "uz" forms and f4e2m1 as in ONNX's
// documentation (docs/docsgen/source/technical/float8.md, float4.md).

namespace terse::calibration {
namespace {

enum class Specials : uint8_t {
  infinity_and_nan,  ///< as IEEE 754: the largest exponent
  nan,               ///< all ones
  unsigned_nan,      ///< minus zero
  none,
};

struct SmallFloat {
  DType dtype;
  int exponent_bits, mantissa_bits, bias;
  Specials specials;
  float largest;

  int sign_bit() const { return 1 << (exponent_bits + mantissa_bits); }
};

constexpr std::array kRows = {
    SmallFloat{DType::f8e4m3fn, 4, 3, 7, Specials::nan, 448},
    SmallFloat{DType::f8e4m3fnuz, 4, 3, 8, Specials::unsigned_nan, 240},
    SmallFloat{DType::f8e5m2, 5, 2, 15, Specials::infinity_and_nan, 57344},
    SmallFloat{DType::f8e5m2fnuz, 5, 2, 16, Specials::unsigned_nan, 57344},
    SmallFloat{DType::f4e2m1, 2, 1, 1, Specials::none, 6},
};

const SmallFloat* find_row(DType dtype) {
  const auto* found = std::ranges::find(kRows, dtype, &SmallFloat::dtype);
  return found == kRows.end() ? nullptr : found;
}

bool is_nan(const SmallFloat& type, int code) {
  const int magnitude = code & (type.sign_bit() - 1);
  switch (type.specials) {
    case Specials::infinity_and_nan:
      return magnitude > ((1 << type.exponent_bits) - 1) << type.mantissa_bits;
    case Specials::nan:
      return magnitude == type.sign_bit() - 1;
    case Specials::unsigned_nan:
      return code == type.sign_bit();
    default:
      return false;
  }
}

float decode(const SmallFloat& type, int code) {
  if (is_nan(type, code)) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  const int exponent = (code & (type.sign_bit() - 1)) >> type.mantissa_bits;
  const int mantissa = code & ((1 << type.mantissa_bits) - 1);
  const int implicit_one = exponent == 0 ? 0 : 1 << type.mantissa_bits;
  float magnitude =
      std::ldexp(static_cast<float>(mantissa + implicit_one), std::max(exponent, 1) - type.bias - type.mantissa_bits);
  if (type.specials == Specials::infinity_and_nan && exponent == (1 << type.exponent_bits) - 1) {
    magnitude = std::numeric_limits<float>::infinity();
  }
  return (code & type.sign_bit()) != 0 ? -magnitude : magnitude;
}

/// A quiet NaN; what has none gets minus zero.
int nan_code(const SmallFloat& type) {
  switch (type.specials) {
    case Specials::infinity_and_nan:
      return type.sign_bit() - (1 << (type.mantissa_bits - 1));
    case Specials::nan:
      return type.sign_bit() - 1;
    default:
      return type.sign_bit();
  }
}

int encode_magnitude(const SmallFloat& type, float value) {
  const int lowest = 1 - type.bias;
  const int exponent = value == 0 ? lowest : std::max(std::ilogb(value), lowest);
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(value, type.mantissa_bits - exponent)));
  // A subnormal number has no implicit one, and one that is rounded up to the next power of two carries by itself.
  return ((exponent - lowest) << type.mantissa_bits) + steps;
}

int encode(const SmallFloat& type, float value, Overflow overflow) {
  if (std::isnan(value)) {
    return nan_code(type);
  }
  const int sign = std::signbit(value) ? type.sign_bit() : 0;
  const int largest = encode_magnitude(type, type.largest);
  const int code = encode_magnitude(type, std::min(std::abs(value), type.largest * 2));
  if (code <= largest) {
    return code == 0 && type.specials == Specials::unsigned_nan ? 0 : sign | code;
  }
  if (overflow == Overflow::saturate || type.specials == Specials::none) {
    return sign | largest;
  }
  return sign | (type.specials == Specials::infinity_and_nan ? largest + 1 : nan_code(type));
}

}  // namespace

bool is_small_float(DType dtype) { return find_row(dtype) != nullptr; }

Tensor small_to_f32(const Tensor& in) {
  const SmallFloat& type = *find_row(in.dtype());
  std::array<float, 256> values{};
  for (int code = 0; code < 2 * type.sign_bit(); ++code) {
    values[static_cast<size_t>(code)] = decode(type, code);
  }
  const Tensor codes = unpack(in);
  Tensor out = Tensor::uninitialized(DType::f32, in.shape());
  const auto to = out.mutable_values<float>();
  for (size_t i = 0; i < to.size(); ++i) {
    to[i] = values[static_cast<size_t>(codes.bytes()[i])];
  }
  return out;
}

Tensor f32_to_small(const Tensor& in, DType dtype, Overflow overflow) {
  const SmallFloat& type = *find_row(dtype);
  const bool is_packed = row(dtype).bits < 8;
  Tensor codes = Tensor::uninitialized(is_packed ? DType::u8 : dtype, in.shape());
  std::ranges::transform(in.values<float>(), codes.mutable_bytes().begin(),
                         [&](float value) { return static_cast<std::byte>(encode(type, value, overflow)); });
  return repack(std::move(codes), dtype);
}

}  // namespace terse::calibration
