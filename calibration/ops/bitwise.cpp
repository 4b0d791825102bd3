#include <functional>

#include "calibration/ops/elementwise.h"
#include "calibration/ops/op.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

/// f over integers of the inputs' type, given to it as u64.
template <typename F>
std::vector<Tensor> on_bits(const OpCall& call, F f) {
  const Tensor& a = call.input(0);
  const Tensor& b = call.input(1);
  Tensor out;
  dispatch_number(call, common_dtype(call, a, b), [&]<typename T>() {
    if constexpr (std::is_integral_v<T>) {
      out = apply_binary<T, T>(
          a, b, [&](T x, T y) { return static_cast<T>(f(static_cast<uint64_t>(x), static_cast<uint64_t>(y))); });
    } else {
      throw_unsupported_dtype(call, a.dtype());
    }
  });
  return {out};
}

}  // namespace

std::vector<Tensor> bitwise_and(const OpCall& call) { return on_bits(call, std::bit_and<>()); }
std::vector<Tensor> bitwise_or(const OpCall& call) { return on_bits(call, std::bit_or<>()); }
std::vector<Tensor> bitwise_xor(const OpCall& call) { return on_bits(call, std::bit_xor<>()); }

std::vector<Tensor> bitwise_not(const OpCall& call) {
  Tensor out;
  dispatch_number(call, call.input(0).dtype(), [&]<typename T>() {
    if constexpr (std::is_integral_v<T>) {
      out = apply_unary<T, T>(call.input(0), [](T x) { return static_cast<T>(~x); });
    } else {
      throw_unsupported_dtype(call, call.input(0).dtype());
    }
  });
  return {out};
}

/// Of unsigned integers: bits that leave are lost, a shift by the width or more gives zero.
std::vector<Tensor> bit_shift(const OpCall& call) {
  const std::string direction = call.node.get_string("direction", "");
  if (direction == "LEFT") {
    return on_bits(call, [](uint64_t x, uint64_t y) { return y < 64 ? x << y : 0; });
  }
  if (direction == "RIGHT") {
    return on_bits(call, [](uint64_t x, uint64_t y) { return y < 64 ? x >> y : 0; });
  }
  throw Error(Kind::input, "direction '{}', expected LEFT or RIGHT", direction);
}

}  // namespace terse::calibration::ops
