#include "calibration/ops/vector_math.h"

#include <algorithm>
#include <cstddef>
#include <limits>

// The order matters: foreach_target.h compiles this file once for every instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "calibration/ops/vector_math.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace terse::calibration::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr D kD;

HWY_INLINE V constant(float value) { return hn::Set(kD, value); }

/// The last, partial vector of a run; what is missing is `fill`.
HWY_INLINE V load_tail(const float* in, size_t count, float fill) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  std::fill_n(lanes, hn::Lanes(kD), fill);
  std::copy_n(in, count, lanes);
  return hn::Load(kD, lanes);
}

HWY_INLINE void store_tail(V values, float* out, size_t count) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(values, kD, lanes);
  std::copy_n(lanes, count, out);
}

template <typename F>
HWY_INLINE void map(const float* in, float* out, int64_t count, F f) {
  const size_t lanes = hn::Lanes(kD);
  const auto size = static_cast<size_t>(count);
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(f(hn::LoadU(kD, in + i)), kD, out + i);
  }
  if (i < size) {
    store_tail(f(load_tail(in + i, size - i, 0)), out + i, size - i);
  }
}

/// Four independent partial results hide the latency of `f`.
template <typename F, typename Join>
HWY_INLINE V reduce(const float* in, int64_t count, float neutral, F f, Join join) {
  const size_t lanes = hn::Lanes(kD);
  const auto size = static_cast<size_t>(count);
  V a = constant(neutral);
  V b = a;
  V c = a;
  V d = a;
  size_t i = 0;
  for (; i + 4 * lanes <= size; i += 4 * lanes) {
    a = f(a, hn::LoadU(kD, in + i));
    b = f(b, hn::LoadU(kD, in + i + lanes));
    c = f(c, hn::LoadU(kD, in + i + 2 * lanes));
    d = f(d, hn::LoadU(kD, in + i + 3 * lanes));
  }
  for (; i + lanes <= size; i += lanes) {
    a = f(a, hn::LoadU(kD, in + i));
  }
  return join(join(a, b), join(c, d));
}

size_t whole_vectors(int64_t count) {
  const size_t lanes = hn::Lanes(kD);
  return static_cast<size_t>(count) / lanes * lanes;
}

/// Highway's gives 0 for NaN and wants arguments up to 104; above 88.8 the result is infinite.
HWY_INLINE V exp(V x) {
  const V result = hn::Exp(kD, hn::Min(x, constant(100)));
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

HWY_INLINE V tanh(V x) { return hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(kD, x)); }

/// Up to 1: x times a polynomial in x^2, beyond: 1 - exp(-polynomial in |x|). Both were fitted for the smallest largest
/// relative error (1e-9) by reweighted least squares.
HWY_INLINE V erf(V x) {
  const V size = hn::Abs(x);
  const V square = hn::Mul(x, x);
  V small = constant(7.853857823647559e-05F);
  for (const float c : {-0.0008010192541405559F, 0.005188327748328447F, -0.026853810995817184F, 0.1128358542919159F,
                        -0.3761262595653534F, 0.12837910652F}) {
    small = hn::MulAdd(small, square, constant(c));
  }
  small = hn::MulAdd(small, x, x);
  const V t = hn::Min(size, constant(4));  // 1 - erf(4) is less than half a unit in the last place of 1
  V exponent = constant(2.1697638658224605e-05F);
  for (const float c : {-0.00044147291919216514F, 0.0042052860371768475F, -0.025210343301296234F, 0.10842210054397583F,
                        0.633216381072998F, 1.1295802593231201F, -0.0001884678058559075F}) {
    exponent = hn::MulAdd(exponent, t, constant(c));
  }
  const V large = hn::CopySignToAbs(hn::Sub(constant(1), hn::Exp(kD, hn::Neg(exponent))), x);
  return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenElse(hn::Lt(size, constant(1)), small, large));
}

HWY_INLINE V sigmoid(V x) { return hn::Div(constant(1), hn::Add(constant(1), exp(hn::Neg(x)))); }

void map_exp(const float* in, float* out, int64_t count) {
  map(in, out, count, [](V x) { return exp(x); });
}

void map_tanh(const float* in, float* out, int64_t count) {
  map(in, out, count, [](V x) { return tanh(x); });
}

void map_erf(const float* in, float* out, int64_t count) {
  map(in, out, count, [](V x) { return erf(x); });
}

void map_sigmoid(const float* in, float* out, int64_t count) {
  map(in, out, count, [](V x) { return sigmoid(x); });
}

void map_silu(const float* in, float* out, int64_t count) {
  map(in, out, count, [](V x) { return hn::Mul(x, sigmoid(x)); });
}

void map_gelu(const float* in, float* out, int64_t count) {
  map(in, out, count, [](V x) {
    const V half = hn::Mul(x, constant(0.5F));
    return hn::MulAdd(half, erf(hn::Mul(x, constant(0.70710678F))), half);
  });
}

void map_gelu_tanh(const float* in, float* out, int64_t count) {
  map(in, out, count, [](V x) {
    const V half = hn::Mul(x, constant(0.5F));
    const V cubic = hn::MulAdd(hn::Mul(x, constant(0.044715F)), hn::Mul(x, x), x);
    return hn::MulAdd(half, tanh(hn::Mul(cubic, constant(0.79788456F))), half);
  });
}

/// Max of vectors may drop a NaN, so NaNs are looked for beside it.
float max_of(const float* in, int64_t count) {
  const V nan_or_zero = reduce(
      in, count, 0, [](V sum, V x) { return hn::Add(sum, hn::Sub(x, x)); }, [](V x, V y) { return hn::Add(x, y); });
  const auto maximum = [](V x, V y) { return hn::Max(x, y); };
  float largest =
      hn::GetLane(hn::MaxOfLanes(kD, reduce(in, count, -std::numeric_limits<float>::infinity(), maximum, maximum)));
  bool has_nan = !hn::AllFalse(kD, hn::IsNaN(nan_or_zero));
  for (auto i = whole_vectors(count); i < static_cast<size_t>(count); ++i) {
    largest = std::max(largest, in[i]);
    has_nan = has_nan || in[i] != in[i];
  }
  // An infinity minus itself is NaN as well: only then look at each.
  return has_nan && std::any_of(in, in + count, [](float x) { return x != x; })
             ? std::numeric_limits<float>::quiet_NaN()
             : largest;
}

float sum_of(const float* in, int64_t count) {
  const auto add = [](V x, V y) { return hn::Add(x, y); };
  float sum = hn::GetLane(hn::SumOfLanes(kD, reduce(in, count, 0, add, add)));
  for (auto i = whole_vectors(count); i < static_cast<size_t>(count); ++i) {
    sum += in[i];
  }
  return sum;
}

float squared_sum_of(const float* in, float center, int64_t count) {
  const auto square = [&](V sum, V x) {
    const V distance = hn::Sub(x, constant(center));
    return hn::MulAdd(distance, distance, sum);
  };
  float sum = hn::GetLane(hn::SumOfLanes(kD, reduce(in, count, 0, square, [](V x, V y) { return hn::Add(x, y); })));
  for (auto i = whole_vectors(count); i < static_cast<size_t>(count); ++i) {
    sum += (in[i] - center) * (in[i] - center);
  }
  return sum;
}

float exp_sum_of(const float* in, float shift, float* out, int64_t count) {
  map(in, out, count, [&](V x) { return exp(hn::Sub(x, constant(shift))); });
  return sum_of(out, count);
}

void narrow(const float* in, float factor, BFloat16* out, int64_t count) {
  const hn::RebindToUnsigned<D> bits;
  const hn::Rebind<uint16_t, D> half;
  const size_t lanes = hn::Lanes(kD);
  const auto size = static_cast<size_t>(count);
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const V scaled = hn::Mul(hn::LoadU(kD, in + i), constant(factor));
    const auto x = hn::BitCast(bits, scaled);
    const auto odd = hn::And(hn::ShiftRight<16>(x), hn::Set(bits, 1));
    const auto rounded = hn::Add(x, hn::Add(odd, hn::Set(bits, 0x7fff)));
    const auto is_nan = hn::RebindMask(bits, hn::IsNaN(scaled));
    const auto chosen = hn::IfThenElse(is_nan, hn::Or(x, hn::Set(bits, 0x400000)), rounded);
    hn::StoreU(hn::TruncateTo(half, hn::ShiftRight<16>(chosen)), half, reinterpret_cast<uint16_t*>(out + i));
  }
  for (; i < size; ++i) {
    out[i] = to_bfloat16(in[i] * factor);
  }
}

}  // namespace
}  // namespace terse::calibration::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::calibration {

HWY_EXPORT(map_exp);
HWY_EXPORT(map_tanh);
HWY_EXPORT(map_erf);
HWY_EXPORT(map_sigmoid);
HWY_EXPORT(map_silu);
HWY_EXPORT(map_gelu);
HWY_EXPORT(map_gelu_tanh);
HWY_EXPORT(max_of);
HWY_EXPORT(sum_of);
HWY_EXPORT(squared_sum_of);
HWY_EXPORT(exp_sum_of);
HWY_EXPORT(narrow);

void vector_exp(const float* in, float* out, int64_t count) { HWY_DYNAMIC_DISPATCH(map_exp)(in, out, count); }
void vector_tanh(const float* in, float* out, int64_t count) { HWY_DYNAMIC_DISPATCH(map_tanh)(in, out, count); }
void vector_erf(const float* in, float* out, int64_t count) { HWY_DYNAMIC_DISPATCH(map_erf)(in, out, count); }
void vector_sigmoid(const float* in, float* out, int64_t count) { HWY_DYNAMIC_DISPATCH(map_sigmoid)(in, out, count); }
void vector_silu(const float* in, float* out, int64_t count) { HWY_DYNAMIC_DISPATCH(map_silu)(in, out, count); }
void vector_gelu(const float* in, float* out, int64_t count) { HWY_DYNAMIC_DISPATCH(map_gelu)(in, out, count); }
void vector_gelu_tanh(const float* in, float* out, int64_t count) {
  HWY_DYNAMIC_DISPATCH(map_gelu_tanh)(in, out, count);
}
float vector_max(const float* in, int64_t count) { return HWY_DYNAMIC_DISPATCH(max_of)(in, count); }
float vector_sum(const float* in, int64_t count) { return HWY_DYNAMIC_DISPATCH(sum_of)(in, count); }
float vector_squared_sum(const float* in, float center, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(squared_sum_of)(in, center, count);
}
float vector_exp_sum(const float* in, float shift, float* out, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(exp_sum_of)(in, shift, out, count);
}
void vector_to_bfloat16(const float* in, float factor, BFloat16* out, int64_t count) {
  HWY_DYNAMIC_DISPATCH(narrow)(in, factor, out, count);
}

}  // namespace terse::calibration
#endif  // HWY_ONCE
