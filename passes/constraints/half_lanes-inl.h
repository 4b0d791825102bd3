// Included once for every instruction set.
#if defined(TERSE_PASSES_CONSTRAINTS_HALF_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_PASSES_CONSTRAINTS_HALF_LANES_INL_H
#undef TERSE_PASSES_CONSTRAINTS_HALF_LANES_INL_H
#else
#define TERSE_PASSES_CONSTRAINTS_HALF_LANES_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace terse::passes::HWY_NAMESPACE {

/// Floats as f16 stores them, at most the largest f16.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V round_to_half(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToUnsigned<D> du;
  const V magnitude = hn::Abs(x);
  const auto bits = hn::BitCast(du, magnitude);
  const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(du, 1U));
  const auto rounded = hn::AndNot(hn::Set(du, 0x1fffU), hn::Add(bits, hn::Add(hn::Set(du, 0xfffU), odd)));
  // Below 2^-14 f16 has a fixed step of 2^-24, which is the last place of 0.5.
  const V subnormal = hn::Sub(hn::Add(magnitude, hn::Set(d, 0.5F)), hn::Set(d, 0.5F));
  const V half = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d, 0x1p-14F)), subnormal, hn::BitCast(d, rounded));
  return hn::CopySign(hn::Min(half, hn::Set(d, 65504.0F)), x);
}

}  // namespace terse::passes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
