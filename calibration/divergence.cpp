#include "calibration/divergence.h"

#include <algorithm>
#include <cmath>

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "calibration/divergence.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

// The loops in every instruction set that the processor may have; Highway picks one at run time.
HWY_BEFORE_NAMESPACE();
namespace terse::calibration::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::ScalableTag<double>;
using Narrow = hn::Rebind<float, Wide>;
using WideVector = hn::Vec<Wide>;

HWY_INLINE WideVector load(const float* row) { return hn::PromoteTo(Wide(), hn::LoadU(Narrow(), row)); }

/// e^x; NaN stays NaN (Highway's function gives 0).
HWY_INLINE WideVector exp_of(WideVector x) { return hn::IfThenElse(hn::Eq(x, x), hn::Exp(Wide(), x), x); }

float largest(const float* row, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  float result = row[0];
  size_t i = 0;
  if (count >= lanes) {
    auto most = hn::LoadU(d, row);
    for (i = lanes; i + lanes <= count; i += lanes) {
      most = hn::Max(most, hn::LoadU(d, row + i));
    }
    result = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (; i < count; ++i) {
    result = std::max(result, row[i]);
  }
  return result;
}

double sum_exp(const float* row, size_t count, double shift) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  const auto shifts = hn::Set(d, shift);
  auto sums = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    sums = hn::Add(sums, exp_of(hn::Sub(load(row + i), shifts)));
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < count; ++i) {
    sum += std::exp(static_cast<double>(row[i]) - shift);
  }
  return sum;
}

/// Sums of e^(a - shift) and of e^(a - shift) * (a - b), the second without the terms whose weight is zero.
void sum_weighted(const float* a, const float* b, size_t count, double shift, double* weights, double* products) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  const auto shifts = hn::Set(d, shift);
  auto weight_sums = hn::Zero(d), product_sums = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto va = load(a + i);
    const auto weight = exp_of(hn::Sub(va, shifts));
    const auto product = hn::Mul(weight, hn::Sub(va, load(b + i)));
    weight_sums = hn::Add(weight_sums, weight);
    product_sums = hn::Add(product_sums, hn::IfThenZeroElse(hn::Eq(weight, hn::Zero(d)), product));
  }
  *weights = hn::GetLane(hn::SumOfLanes(d, weight_sums));
  *products = hn::GetLane(hn::SumOfLanes(d, product_sums));
  for (; i < count; ++i) {
    const double weight = std::exp(static_cast<double>(a[i]) - shift);
    *weights += weight;
    *products += weight == 0 ? 0 : weight * (static_cast<double>(a[i]) - static_cast<double>(b[i]));
  }
}

}  // namespace
}  // namespace terse::calibration::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::calibration {
namespace {

HWY_EXPORT(largest);
HWY_EXPORT(sum_exp);
HWY_EXPORT(sum_weighted);

double find_largest(std::span<const float> row) { return HWY_DYNAMIC_DISPATCH(largest)(row.data(), row.size()); }

}  // namespace

double log_sum_exp(std::span<const float> row) {
  const double shift = find_largest(row);
  return shift + std::log(HWY_DYNAMIC_DISPATCH(sum_exp)(row.data(), row.size(), shift));
}

Divergence divergence(std::span<const float> reference, std::span<const float> tested) {
  const double shift = find_largest(reference);
  double weights = 0, products = 0;
  HWY_DYNAMIC_DISPATCH(sum_weighted)
  (reference.data(), tested.data(), reference.size(), shift, &weights, &products);
  const double kl = products / weights - (shift + std::log(weights) - log_sum_exp(tested));
  return {.kl = kl < 0 ? 0 : kl,
          .same_top = arg_max(reference) == arg_max(tested)};  // rounding alone makes it negative
}

double cross_entropy(std::span<const float> row, int64_t index) {
  return log_sum_exp(row) - static_cast<double>(row[static_cast<size_t>(index)]);
}

int64_t arg_max(std::span<const float> row) {
  const auto most = static_cast<float>(find_largest(row));
  const auto found = std::ranges::find(row, most);
  return found == row.end() ? 0 : found - row.begin();
}

}  // namespace terse::calibration
#endif  // HWY_ONCE
