// Included once for every instruction set.
#if defined(TERSE_PASSES_CONSTRAINTS_BLOCK_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_PASSES_CONSTRAINTS_BLOCK_LANES_INL_H
#undef TERSE_PASSES_CONSTRAINTS_BLOCK_LANES_INL_H
#else
#define TERSE_PASSES_CONSTRAINTS_BLOCK_LANES_INL_H
#endif

#include <hwy/highway.h>

#include "passes/constraints/block_fit.h"

HWY_BEFORE_NAMESPACE();
namespace terse::passes::HWY_NAMESPACE {

// Products and sums are rounded one by one (no fused multiply-add), for the same bits everywhere.

using LaneTag = hwy::HWY_NAMESPACE::CappedTag<float, kGridLanes>;
using Lanes = hwy::HWY_NAMESPACE::Vec<LaneTag>;  // a number of each of some blocks

using PairTag = hwy::HWY_NAMESPACE::Repartition<int16_t, LaneTag>;
using Pairs = hwy::HWY_NAMESPACE::Vec<PairTag>;  // two numbers of each of some blocks

HWY_INLINE Lanes all(float x) { return hwy::HWY_NAMESPACE::Set(LaneTag(), x); }
HWY_INLINE Lanes zero() { return hwy::HWY_NAMESPACE::Zero(LaneTag()); }
HWY_INLINE Lanes load(const float* x) { return hwy::HWY_NAMESPACE::Load(LaneTag(), x); }

/// a / b, or 0 where b is 0.
HWY_INLINE Lanes ratio(Lanes a, Lanes b) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::IfThenZeroElse(hn::Eq(b, zero()), hn::Div(a, b));
}

HWY_INLINE Lanes limit(Lanes x, float low, float high) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::Min(hn::Max(x, all(low)), all(high));
}

/// Numbers of some blocks side by side, and how much an error in each column counts.
struct BlockLanes {
  const float* values;  ///< of these lanes; the next column is kGridLanes floats further
  const float* importance;

  HWY_INLINE Lanes value(int64_t column) const { return load(values + column * kGridLanes); }

  template <bool kWeighted>
  HWY_INLINE Lanes weigh(int64_t column, Lanes x) const {
    if constexpr (kWeighted) {
      return hwy::HWY_NAMESPACE::Mul(x, all(importance[column]));
    } else {
      return x;
    }
  }
};

/// level = nearest(w * factor + bias)
struct LevelMap {
  Lanes factor, bias;
};

/// Weighted sums over a sub-block: of the levels q, and of products with them and with the numbers w.
struct LevelSums {
  Lanes q, qq, wq;
};

/// Levels that are whole numbers in a range.
struct LinearLevels {
  explicit LinearLevels(const BlockCodec& codec)
      : low(static_cast<float>(-codec.offset)), high(static_cast<float>(codec.codes - 1 - codec.offset)) {}

  HWY_INLINE Lanes nearest(Lanes x) const { return limit(hwy::HWY_NAMESPACE::Round(x), low, high); }

  /// The level nearest to x, and its code.
  template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
  HWY_INLINE V snap(D d, V x, V& code) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const V lowest = hn::Set(d, low);
    code = hn::Sub(hn::Min(hn::Max(hn::Round(x), lowest), hn::Set(d, high)), lowest);
    return hn::Add(code, lowest);  // no negative zeros, which codes do not know
  }

  /// Of numbers with so many fraction bits. Halves are rounded up.
  HWY_INLINE Pairs nearest(Pairs x, int fraction_bits) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const PairTag d;
    const Pairs rounded = hn::MulFixedPoint15(x, hn::Set(d, static_cast<int16_t>(1 << (15 - fraction_bits))));
    return hn::Min(hn::Max(rounded, hn::Set(d, static_cast<int16_t>(low))), hn::Set(d, static_cast<int16_t>(high)));
  }

  float low, high;
};

/// 16 levels of a table, ascending.
struct TableLevels {
  explicit TableLevels(const BlockCodec& codec) {
    for (size_t i = 0; i < 16; ++i) {
      levels[i] = (*codec.table)[i];
    }
    for (size_t i = 0; i < 15; ++i) {
      middles[i] = (levels[i] + levels[i + 1]) / 2;
    }
    low = levels[0];
    high = levels[15];
  }

  HWY_INLINE Lanes nearest(Lanes x) const {
    namespace hn = hwy::HWY_NAMESPACE;
    Lanes level = all(levels[0]);
    for (size_t i = 0; i < 15; ++i) {
      level = hn::IfThenElse(hn::Gt(x, all(middles[i])), all(levels[i + 1]), level);
    }
    return level;
  }

  template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
  HWY_INLINE V snap(D d, V x, V& code) const {
    namespace hn = hwy::HWY_NAMESPACE;
    V level = hn::Set(d, levels[0]);
    code = hn::Zero(d);
    for (size_t i = 0; i < 15; ++i) {
      const auto above = hn::Gt(x, hn::Set(d, middles[i]));
      level = hn::IfThenElse(above, hn::Set(d, levels[i + 1]), level);
      code = hn::IfThenElse(above, hn::Set(d, static_cast<float>(i + 1)), code);
    }
    return level;
  }

  HWY_INLINE Pairs nearest(Pairs x, int fraction_bits) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const PairTag d;
    const auto one = static_cast<float>(1 << fraction_bits);
    Pairs level = hn::Set(d, static_cast<int16_t>(levels[0]));
    for (size_t i = 0; i < 15; ++i) {
      const auto above = hn::Gt(x, hn::Set(d, static_cast<int16_t>(middles[i] * one)));
      level = hn::IfThenElse(above, hn::Set(d, static_cast<int16_t>(levels[i + 1])), level);
    }
    return level;
  }

  float levels[16] = {}, middles[15] = {};
  float low, high;
};

}  // namespace terse::passes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
