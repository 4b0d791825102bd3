#include <cmath>

#include "calibration/ops/elementwise.h"

namespace terse::calibration::ops {
namespace {

template <typename F>
std::vector<Tensor> compare(const OpCall& call, F f) {
  const Tensor& a = call.input(0);
  const Tensor& b = call.input(1);
  const DType dtype = common_dtype(call, a, b);
  if (is_half(dtype)) {
    return {apply_binary<float, bool>(to_f32(a), to_f32(b), f)};
  }
  Tensor out;
  dispatch_number(call, dtype, [&]<typename T>() { out = apply_binary<T, bool>(a, b, f); });
  return {out};
}

template <typename F>
std::vector<Tensor> combine(const OpCall& call, F f) {
  const DType dtype = common_dtype(call, call.input(0), call.input(1));
  if (dtype != DType::boolean) {
    throw_unsupported_dtype(call, dtype);
  }
  return {apply_binary<bool, bool>(call.input(0), call.input(1), f)};
}

template <typename F>
std::vector<Tensor> classify(const OpCall& call, F f) {
  const Tensor& x = call.input(0);
  if (!is_float(x.dtype())) {
    throw_unsupported_dtype(call, x.dtype());
  }
  return {x.dtype() == DType::f64 ? apply_unary<double, bool>(x, f) : apply_unary<float, bool>(to_f32(x), f)};
}

}  // namespace

std::vector<Tensor> equal(const OpCall& call) {
  const auto same = [](auto a, auto b) { return a == b; };
  if (call.input(0).dtype() == DType::boolean) {
    return combine(call, same);
  }
  return compare(call, same);
}
std::vector<Tensor> greater(const OpCall& call) {
  return compare(call, [](auto a, auto b) { return a > b; });
}
std::vector<Tensor> greater_or_equal(const OpCall& call) {
  return compare(call, [](auto a, auto b) { return a >= b; });
}
std::vector<Tensor> less(const OpCall& call) {
  return compare(call, [](auto a, auto b) { return a < b; });
}
std::vector<Tensor> less_or_equal(const OpCall& call) {
  return compare(call, [](auto a, auto b) { return a <= b; });
}

std::vector<Tensor> logical_and(const OpCall& call) {
  return combine(call, [](bool a, bool b) { return a && b; });
}
std::vector<Tensor> logical_or(const OpCall& call) {
  return combine(call, [](bool a, bool b) { return a || b; });
}
std::vector<Tensor> logical_xor(const OpCall& call) {
  return combine(call, [](bool a, bool b) { return a != b; });
}
std::vector<Tensor> logical_not(const OpCall& call) {
  if (call.input(0).dtype() != DType::boolean) {
    throw_unsupported_dtype(call, call.input(0).dtype());
  }
  return {apply_unary<bool, bool>(call.input(0), [](bool x) { return !x; })};
}

std::vector<Tensor> is_nan(const OpCall& call) {
  return classify(call, [](auto x) { return std::isnan(x); });
}

std::vector<Tensor> is_inf(const OpCall& call) {
  const bool negative = call.node.get_int("detect_negative", 1) != 0;
  const bool positive = call.node.get_int("detect_positive", 1) != 0;
  return classify(call, [&](auto x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

}  // namespace terse::calibration::ops
