#include "calibration/ops/cast.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kGrain = 1 << 15;

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <typename To, typename From>
To saturate(From value) {
  constexpr To kHalf = std::numeric_limits<To>::max() / 2 + 1;
  constexpr From kPastEnd = static_cast<From>(kHalf) * 2;
  constexpr From kLowest = static_cast<From>(std::numeric_limits<To>::lowest());
  if (std::isnan(value)) {
    return 0;
  }
  return value >= kPastEnd  ? std::numeric_limits<To>::max()
         : value <= kLowest ? std::numeric_limits<To>::lowest()
                            : static_cast<To>(value);
}

template <typename To, typename From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (kIsHalf<From>) {
    return convert<To>(to_float(value));
  } else if constexpr (std::is_same_v<To, Half>) {
    return to_half(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{0};
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    return saturate<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <typename From, typename To>
void convert_run(std::span<const From> from, std::span<To> to) {
  if constexpr (std::is_same_v<From, float> && std::is_same_v<To, Half>) {
    to_half(from, to);
  } else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, BFloat16>) {
    to_bfloat16(from, to);
  } else if constexpr (kIsHalf<From> && std::is_same_v<To, float>) {
    to_float(from, to);
  } else {
    std::ranges::transform(from, to.begin(), [](From value) { return convert<To>(value); });
  }
}

Tensor cast_elements(const Tensor& in, DType dtype) {
  Tensor out = Tensor::uninitialized(dtype, in.shape());
  const bool known = dispatch(dtype, [&]<typename To>() {
    const bool from_known = dispatch(in.dtype(), [&]<typename From>() {
      const auto from = in.values<From>();
      const auto to = out.mutable_values<To>();
      parallel_ranges(in.count(), kGrain, [&](int64_t begin, int64_t end) {
        const auto count = static_cast<size_t>(end - begin);
        convert_run(from.subspan(static_cast<size_t>(begin), count), to.subspan(static_cast<size_t>(begin), count));
      });
    });
    if (!from_known) {
      throw Error(Kind::unsupported, "a cast from {}", name(in.dtype()));
    }
  });
  if (!known) {
    throw Error(Kind::unsupported, "a cast to {}", name(dtype));
  }
  return out;
}

bool is_small_integer(DType dtype) {
  return dtype == DType::i4 || dtype == DType::u4 || dtype == DType::i2 || dtype == DType::u2;
}

/// What does not fit loses its high bits.
Tensor to_small_integer(const Tensor& in, DType dtype) {
  const int mask = (1 << row(dtype).bits) - 1;
  const Tensor wide = cast_elements(in, DType::i32);
  Tensor codes = Tensor::uninitialized(DType::u8, in.shape());
  std::ranges::transform(wide.values<int32_t>(), codes.mutable_values<uint8_t>().begin(),
                         [&](int32_t value) { return static_cast<uint8_t>(value & mask); });
  return repack(std::move(codes), dtype);
}

}  // namespace

Tensor widen(const Tensor& in) {
  Tensor codes = unpack(in);
  if (in.dtype() != DType::i4 && in.dtype() != DType::i2) {
    return codes;
  }
  const int shift = 8 - row(in.dtype()).bits;
  Tensor out = Tensor::uninitialized(DType::i8, in.shape());
  std::ranges::transform(codes.values<uint8_t>(), out.mutable_values<int8_t>().begin(), [&](uint8_t code) {
    return static_cast<int8_t>(static_cast<int8_t>(code << shift) >> shift);
  });
  return out;
}

Tensor cast_to(const Tensor& in, DType dtype, Overflow overflow) {
  if (in.dtype() == dtype) {
    return in;
  }
  if (is_small_integer(in.dtype())) {
    return cast_to(widen(in), dtype, overflow);
  }
  if (is_small_float(in.dtype())) {
    return cast_to(small_to_f32(in), dtype, overflow);
  }
  if (is_small_float(dtype)) {
    return f32_to_small(cast_to(in, DType::f32), dtype, overflow);
  }
  return is_small_integer(dtype) ? to_small_integer(in, dtype) : cast_elements(in, dtype);
}

Overflow overflow_of(const Node& node) {
  return node.get_int("saturate", 1) != 0 ? Overflow::saturate : Overflow::infinity;
}

namespace ops {

std::vector<Tensor> cast(const OpCall& call) {
  return {cast_to(call.input(0), get_dtype(call.node, "to", DType::undefined), overflow_of(call.node))};
}

std::vector<Tensor> cast_like(const OpCall& call) {
  return {cast_to(call.input(0), call.input(1).dtype(), overflow_of(call.node))};
}

}  // namespace ops
}  // namespace terse::calibration
