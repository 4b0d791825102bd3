#include <cassert>

#include "formats/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "formats/half_runs.cpp"
#include <hwy/foreach_target.h>  // compiles what follows once for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace terse::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Integer arithmetic but for one exact difference, so that NaNs keep their bits as well and no operation meets a
/// subnormal float, which some processors are slow at.
template <class D, class V = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE hn::Vec<D> widen(D d, hn::RebindToUnsigned<D> du, V half) {
  constexpr uint32_t kRebias = 112U << 23;  // from a half's exponent (bias 15) to a float's (127)
  const V magnitude = hn::ShiftLeft<13>(hn::And(half, hn::Set(du, 0x7fffU)));
  const V sign = hn::ShiftLeft<16>(hn::And(half, hn::Set(du, 0x8000U)));
  const V normal = hn::Add(magnitude, hn::Set(du, kRebias));
  const auto one_more = hn::BitCast(d, hn::Add(normal, hn::Set(du, 1U << 23)));
  const V subnormal = hn::BitCast(du, hn::Sub(one_more, hn::Set(d, 0x1p-14F)));
  const V special = hn::Add(normal, hn::Set(du, kRebias));
  const V finite = hn::IfThenElse(hn::Lt(magnitude, hn::Set(du, 1U << 23)), subnormal, normal);
  return hn::BitCast(d, hn::Or(sign, hn::IfThenElse(hn::Lt(magnitude, hn::Set(du, 0x1fU << 23)), finite, special)));
}

template <class D, class V = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE hn::Vec<D> widen_bfloat16(D d, hn::RebindToUnsigned<D> /*du*/, V bits) {
  return hn::BitCast(d, hn::ShiftLeft<16>(bits));
}

/// Vectors, then the rest one by one.
template <class Stored, class Widen>
HWY_INLINE void widen_run(const Stored* in, float* out, size_t count, const Widen& widen_vector) {
  const auto widen_one = [&](auto d, size_t at) {
    const hn::RebindToUnsigned<decltype(d)> du;
    const hn::Rebind<uint16_t, decltype(d)> du16;
    const auto stored = hn::LoadU(du16, reinterpret_cast<const uint16_t*>(in + at));
    hn::StoreU(widen_vector(d, du, hn::PromoteTo(du, stored)), d, out + at);
  };
  const hn::ScalableTag<float> d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    widen_one(d, i);
  }
  for (; i < count; ++i) {
    widen_one(hn::CappedTag<float, 1>(), i);
  }
}

void widen_halves(const Half* in, float* out, size_t count) {
  widen_run(in, out, count, [](auto d, auto du, auto bits) { return widen(d, du, bits); });
}

void widen_bfloats(const BFloat16* in, float* out, size_t count) {
  widen_run(in, out, count, [](auto d, auto du, auto bits) { return widen_bfloat16(d, du, bits); });
}

}  // namespace terse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace terse {
namespace {

HWY_EXPORT(widen_halves);
HWY_EXPORT(widen_bfloats);

}  // namespace

void to_float(std::span<const Half> in, std::span<float> out) {
  assert(in.size() == out.size());
  HWY_DYNAMIC_DISPATCH(widen_halves)(in.data(), out.data(), in.size());
}

void to_float(std::span<const BFloat16> in, std::span<float> out) {
  assert(in.size() == out.size());
  HWY_DYNAMIC_DISPATCH(widen_bfloats)(in.data(), out.data(), in.size());
}

}  // namespace terse

#endif
