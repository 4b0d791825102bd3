#include <cmath>

#include "calibration/ops/elementwise.h"

namespace terse::calibration::ops {
namespace {

/// Signed overflow wraps around, as every runtime's does.
template <typename T, typename F>
T wrap(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  } else {
    return f(a, b);
  }
}

template <typename T>
T divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) {
      throw Error(Kind::input, "division of an integer by zero");
    }
    if constexpr (std::is_signed_v<T>) {
      if (b == T{-1}) {
        return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(a));
      }
    }
    return static_cast<T>(a / b);
  } else {
    return a / b;
  }
}

/// With the sign of the dividend, as C's fmod.
template <typename T>
T remainder(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    const T quotient = divide(a, b);
    return wrap(a, wrap(quotient, b, [](auto x, auto y) { return x * y; }), [](auto x, auto y) { return x - y; });
  } else {
    return std::fmod(a, b);
  }
}

/// With the sign of the divisor, as Python's %.
template <typename T>
T modulo(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    const T rest = remainder(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  } else {
    const T rest = std::fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
}

template <typename T>
T power(T base, double exponent) {
  return static_cast<T>(std::pow(static_cast<double>(base), exponent));
}

/// Squares, cubes and roots are what exporters spell norms and gelu with.
Tensor power_f32(const Tensor& base, const Tensor& exponent) {
  const float e = exponent.count() == 1 ? exponent.values<float>()[0] : 0;
  const bool keeps_shape = exponent.count() == 1 && exponent.rank() <= base.rank();
  if (keeps_shape && e == 2) {
    return apply_unary<float, float>(base, [](float x) { return x * x; });
  }
  if (keeps_shape && e == 3) {
    return apply_unary<float, float>(base, [](float x) { return x * x * x; });
  }
  if (keeps_shape && e == 0.5F) {
    return apply_unary<float, float>(base, [](float x) { return std::sqrt(x); });
  }
  return apply_binary<float, float>(base, exponent, [](float x, float y) { return std::pow(x, y); });
}

template <typename F>
std::vector<Tensor> fold(const OpCall& call, F f) {
  Tensor out = call.input(0);
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    out = arithmetic(call, out, call.input(i), f);
  }
  return {out};
}

constexpr auto kAdd = [](auto a, auto b) { return wrap(a, b, [](auto x, auto y) { return x + y; }); };

template <typename T>
bool is_nan(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(value);
  } else {
    return false;
  }
}

}  // namespace

std::vector<Tensor> add(const OpCall& call) { return {arithmetic(call, call.input(0), call.input(1), kAdd)}; }

std::vector<Tensor> sub(const OpCall& call) {
  return {arithmetic(call, call.input(0), call.input(1),
                     [](auto a, auto b) { return wrap(a, b, [](auto x, auto y) { return x - y; }); })};
}

std::vector<Tensor> mul(const OpCall& call) {
  return {arithmetic(call, call.input(0), call.input(1),
                     [](auto a, auto b) { return wrap(a, b, [](auto x, auto y) { return x * y; }); })};
}

std::vector<Tensor> div(const OpCall& call) {
  return {arithmetic(call, call.input(0), call.input(1), [](auto a, auto b) { return divide(a, b); })};
}

std::vector<Tensor> mod(const OpCall& call) {
  if (call.node.get_int("fmod", 0) != 0) {
    return {arithmetic(call, call.input(0), call.input(1), [](auto a, auto b) { return remainder(a, b); })};
  }
  return {arithmetic(call, call.input(0), call.input(1), [](auto a, auto b) { return modulo(a, b); })};
}

std::vector<Tensor> pow(const OpCall& call) {
  const Tensor& base = call.input(0);
  const Tensor& exponent = call.input(1);
  if (is_float(base.dtype()) && base.dtype() != DType::f64 && is_float(exponent.dtype())) {
    return {from_f32(power_f32(to_f32(base), to_f32(exponent)), base.dtype())};
  }
  // Other pairs of types are rare and small: the exponent goes through f64.
  Tensor wide = Tensor::uninitialized(DType::f64, exponent.shape());
  const Tensor number = is_half(exponent.dtype()) ? to_f32(exponent) : exponent;
  dispatch_number(call, number.dtype(), [&]<typename T>() {
    std::copy(number.values<T>().begin(), number.values<T>().end(), wide.mutable_values<double>().begin());
  });
  if (is_half(base.dtype())) {
    throw_unsupported_dtype(call, base.dtype());
  }
  Tensor out;
  dispatch_number(call, base.dtype(), [&]<typename T>() {
    Tensor as_double = Tensor::uninitialized(DType::f64, base.shape());
    std::copy(base.values<T>().begin(), base.values<T>().end(), as_double.mutable_values<double>().begin());
    out = apply_binary<double, T>(as_double, wide, [](double x, double y) { return power<T>(static_cast<T>(x), y); });
  });
  return {out};
}

std::vector<Tensor> min(const OpCall& call) {
  return fold(call, [](auto a, auto b) { return is_nan(a) || a < b ? a : b; });
}

std::vector<Tensor> max(const OpCall& call) {
  return fold(call, [](auto a, auto b) { return is_nan(a) || a > b ? a : b; });
}

std::vector<Tensor> sum(const OpCall& call) { return fold(call, kAdd); }

std::vector<Tensor> mean(const OpCall& call) {
  const Tensor total = sum(call)[0];
  const auto count = static_cast<float>(call.inputs.size());
  return {float_map(call, total, [&](auto x) { return x / static_cast<decltype(x)>(count); })};
}

}  // namespace terse::calibration::ops
