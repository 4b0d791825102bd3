#include <cmath>

#include "calibration/ops/elementwise.h"
#include "calibration/ops/vector_math.h"

namespace terse::calibration::ops {
namespace {

using VectorFunction = void (*)(const float* in, float* out, int64_t count);

/// A vectorised function of floats; f64 takes `exact`.
std::vector<Tensor> map(const OpCall& call, VectorFunction function, double (*exact)(double)) {
  const Tensor& x = call.input(0);
  if (x.dtype() == DType::f64) {
    return {apply_unary<double, double>(x, exact)};
  }
  if (!is_float(x.dtype())) {
    throw_unsupported_dtype(call, x.dtype());
  }
  const Tensor in = to_f32(x);
  Tensor out = Tensor::uninitialized(DType::f32, x.shape());
  const float* from = in.values<float>().data();
  float* to = out.mutable_values<float>().data();
  parallel_ranges(out.count(), kElementsPerTask,
                  [&](int64_t begin, int64_t end) { function(from + begin, to + begin, end - begin); });
  return {from_f32(out, x.dtype())};
}

template <typename F>
std::vector<Tensor> floats(const OpCall& call, F f) {
  return {float_map(call, call.input(0), f)};
}

/// For operators that take integers too.
template <typename F>
std::vector<Tensor> numbers(const OpCall& call, F f) {
  const Tensor& x = call.input(0);
  if (is_float(x.dtype())) {
    return floats(call, f);
  }
  Tensor out;
  dispatch_number(call, x.dtype(), [&]<typename T>() { out = apply_unary<T, T>(x, f); });
  return {out};
}

double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

template <typename T>
T number(float value) {
  return static_cast<T>(value);
}

}  // namespace

std::vector<Tensor> exp(const OpCall& call) { return map(call, vector_exp, std::exp); }
std::vector<Tensor> tanh(const OpCall& call) { return map(call, vector_tanh, std::tanh); }
std::vector<Tensor> erf(const OpCall& call) { return map(call, vector_erf, std::erf); }
std::vector<Tensor> sigmoid(const OpCall& call) { return map(call, vector_sigmoid, exact_sigmoid); }

std::vector<Tensor> gelu(const OpCall& call) {
  const std::string approximate = call.node.get_string("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    throw Error(Kind::unsupported, "Gelu with approximate '{}', expected 'none' or 'tanh'", approximate);
  }
  if (approximate == "tanh") {
    return map(call, vector_gelu_tanh,
               [](double x) { return x / 2 * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); });
  }
  return map(call, vector_gelu, [](double x) { return x / 2 * (1 + std::erf(x * 0.7071067811865476)); });
}

std::vector<Tensor> swish(const OpCall& call) {
  const float alpha = call.node.get_float("alpha", 1);
  if (alpha == 1) {
    return map(call, vector_silu, [](double x) { return x * exact_sigmoid(x); });
  }
  return floats(call, [&](auto x) { return x / (1 + std::exp(-number<decltype(x)>(alpha) * x)); });
}

std::vector<Tensor> sqrt(const OpCall& call) {
  return floats(call, [](auto x) { return std::sqrt(x); });
}
std::vector<Tensor> log(const OpCall& call) {
  return floats(call, [](auto x) { return std::log(x); });
}
std::vector<Tensor> sin(const OpCall& call) {
  return floats(call, [](auto x) { return std::sin(x); });
}
std::vector<Tensor> cos(const OpCall& call) {
  return floats(call, [](auto x) { return std::cos(x); });
}
std::vector<Tensor> floor(const OpCall& call) {
  return floats(call, [](auto x) { return std::floor(x); });
}
std::vector<Tensor> ceil(const OpCall& call) {
  return floats(call, [](auto x) { return std::ceil(x); });
}

/// Ties to even: what nearbyint does in the rounding mode that nobody here changes.
std::vector<Tensor> round(const OpCall& call) {
  return floats(call, [](auto x) { return std::nearbyint(x); });
}
std::vector<Tensor> reciprocal(const OpCall& call) {
  return floats(call, [](auto x) { return 1 / x; });
}

std::vector<Tensor> softplus(const OpCall& call) {
  return floats(call, [](auto x) { return std::max(x, decltype(x){0}) + std::log1p(std::exp(-std::abs(x))); });
}

std::vector<Tensor> leaky_relu(const OpCall& call) {
  const float alpha = call.node.get_float("alpha", 0.01F);
  return floats(call, [&](auto x) { return x < 0 ? x * number<decltype(x)>(alpha) : x; });
}

std::vector<Tensor> elu(const OpCall& call) {
  const float alpha = call.node.get_float("alpha", 1);
  return floats(call, [&](auto x) { return x < 0 ? number<decltype(x)>(alpha) * std::expm1(x) : x; });
}

std::vector<Tensor> hard_sigmoid(const OpCall& call) {
  const float alpha = call.node.get_float("alpha", 0.2F);
  const float beta = call.node.get_float("beta", 0.5F);
  return floats(call, [&](auto x) {
    using T = decltype(x);
    return std::clamp(x * number<T>(alpha) + number<T>(beta), T{0}, T{1});
  });
}

std::vector<Tensor> relu(const OpCall& call) {
  return numbers(call, [](auto x) { return x < decltype(x){0} ? decltype(x){0} : x; });
}

/// The smallest signed integer has no positive counterpart and stays.
std::vector<Tensor> abs(const OpCall& call) {
  return numbers(call, [](auto x) {
    using T = decltype(x);
    if constexpr (std::is_floating_point_v<T>) {
      return std::abs(x);
    } else {
      return x < T{0} ? static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x)) : x;
    }
  });
}

std::vector<Tensor> neg(const OpCall& call) {
  return numbers(call, [](auto x) {
    using T = decltype(x);
    if constexpr (std::is_floating_point_v<T>) {
      return -x;
    } else {
      return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));
    }
  });
}

std::vector<Tensor> sign(const OpCall& call) {
  return numbers(call, [](auto x) {
    using T = decltype(x);
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x)) {
        return x;
      }
    }
    return static_cast<T>(static_cast<int>(x > T{0}) - static_cast<int>(x < T{0}));
  });
}

std::vector<Tensor> clip(const OpCall& call) {
  Tensor out = call.input(0);
  if (const Tensor* low = call.find_input(1)) {
    out = arithmetic(call, out, *low, [](auto x, auto y) { return x < y ? y : x; });
  }
  if (const Tensor* high = call.find_input(2)) {
    out = arithmetic(call, out, *high, [](auto x, auto y) { return x > y ? y : x; });
  }
  return {out};
}

}  // namespace terse::calibration::ops
