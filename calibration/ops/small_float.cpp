#include "calibration/ops/small_float.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "calibration/ops/arguments.h"
#include "formats/small_float.h"

namespace terse::calibration {
namespace {

/// A quiet NaN; what has none gets minus zero.
int nan_code(const SmallFloat& type) {
  switch (type.specials) {
    case SmallFloat::Specials::infinity_and_nan:
      return type.sign_bit() - (1 << (type.mantissa_bits - 1));
    case SmallFloat::Specials::nan:
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
    return code == 0 && type.specials == SmallFloat::Specials::unsigned_nan ? 0 : sign | code;
  }
  if (overflow == Overflow::saturate || type.specials == SmallFloat::Specials::none) {
    return sign | largest;
  }
  return sign | (type.specials == SmallFloat::Specials::infinity_and_nan ? largest + 1 : nan_code(type));
}

}  // namespace

bool is_small_float(DType dtype) { return find_small_float(dtype) != nullptr; }

Tensor small_to_f32(const Tensor& in) {
  const SmallFloat& type = *find_small_float(in.dtype());
  std::array<float, 256> values{};
  for (int code = 0; code < 2 * type.sign_bit(); ++code) {
    values[static_cast<size_t>(code)] = decode_small_float(type, code);
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
  const SmallFloat& type = *find_small_float(dtype);
  const bool is_packed = row(dtype).bits < 8;
  Tensor codes = Tensor::uninitialized(is_packed ? DType::u8 : dtype, in.shape());
  std::ranges::transform(in.values<float>(), codes.mutable_bytes().begin(),
                         [&](float value) { return static_cast<std::byte>(encode(type, value, overflow)); });
  return repack(std::move(codes), dtype);
}

}  // namespace terse::calibration
