// Included once for every instruction set.
#if defined(TERSE_PASSES_CONSTRAINTS_INTEGER_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_PASSES_CONSTRAINTS_INTEGER_LANES_INL_H
#undef TERSE_PASSES_CONSTRAINTS_INTEGER_LANES_INL_H
#else
#define TERSE_PASSES_CONSTRAINTS_INTEGER_LANES_INL_H
#endif

#include <bit>

#include "passes/constraints/block_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace terse::passes::HWY_NAMESPACE {

using WholeTag = hwy::HWY_NAMESPACE::RebindToSigned<LaneTag>;
using Wholes = hwy::HWY_NAMESPACE::Vec<WholeTag>;

/// The numbers of one sub-block as multiples of 1/32767 of its peak (or of its range, from its lowest number on), which
/// is far finer than any type's levels: twice as many fit into a vector, and their sums are exact.
template <bool kHasMin>
class IntegerLanes {
 public:
  explicit IntegerLanes(const BlockCodec& codec)
      : fraction_bits_((kHasMin ? 14 : 15) - (codec.table != nullptr ? 8 : bit_width(codec.codes - 1))) {}

  /// Numbers w of columns [begin, begin + count), at most 32: (w - low) / peak is from 0, or -1, to 1.
  HWY_INLINE void set(const BlockLanes& lanes, int64_t begin, int64_t count, Lanes low, Lanes peak,
                      Lanes inverse_peak) {
    namespace hn = hwy::HWY_NAMESPACE;
    count_ = static_cast<size_t>(count / 2);
    low_ = low;
    unit_ = hn::Mul(peak, all(1 / kOne));
    const Lanes inverse_unit = hn::Mul(inverse_peak, all(kOne));
    const auto whole = [&](int64_t column) {
      const Lanes w = lanes.value(column);
      return hn::NearestInt(hn::Mul(kHasMin ? hn::Sub(w, low) : w, inverse_unit));
    };
    for (size_t i = 0; i < count_; ++i) {
      const int64_t column = begin + 2 * static_cast<int64_t>(i);
      numbers_[i] = pair(whole(column), whole(column + 1));
    }
  }

  /// Sums over all numbers, for several maps at once.
  template <class Levels, size_t kCount>
  HWY_INLINE void sweep(const Levels& levels, const LevelMap (&maps)[kCount], LevelSums (&sums)[kCount]) const {
    namespace hn = hwy::HWY_NAMESPACE;
    Pairs factor[kCount], bias[kCount], q_sum[kCount];
    Wholes qq[kCount], wq[kCount];
    for (size_t i = 0; i < kCount; ++i) {
      factor[i] = fixed(hn::Mul(maps[i].factor, unit_), 15 + fraction_bits_);
      bias[i] = fixed(hn::Add(hn::Mul(maps[i].factor, low_), maps[i].bias), fraction_bits_);
      q_sum[i] = hn::Zero(PairTag());
      qq[i] = wq[i] = hn::Zero(WholeTag());
    }
    for (size_t n = 0; n < count_; ++n) {
      const Pairs w = numbers_[n];
      for (size_t i = 0; i < kCount; ++i) {
        const Pairs scaled = hn::MulFixedPoint15(w, factor[i]);
        const Pairs q = levels.nearest(kHasMin ? hn::SaturatedAdd(scaled, bias[i]) : scaled, fraction_bits_);
        if constexpr (kHasMin) {
          q_sum[i] = hn::Add(q_sum[i], q);
        }
        qq[i] = hn::Add(qq[i], products(q, q));
        wq[i] = hn::Add(wq[i], products(w, q));
      }
    }
    for (size_t i = 0; i < kCount; ++i) {
      sums[i] = sums_of(products(q_sum[i], hn::Set(PairTag(), 1)), qq[i], wq[i]);
    }
  }

 private:
  static constexpr float kOne = 32767;

  static int bit_width(int x) { return static_cast<int>(std::bit_width(static_cast<unsigned>(x))); }

  static HWY_INLINE Pairs pair(Wholes first, Wholes second) {
    namespace hn = hwy::HWY_NAMESPACE;
    const Wholes low = hn::And(first, hn::Set(WholeTag(), 0xffff));
    return hn::BitCast(PairTag(), hn::Or(low, hn::ShiftLeft<16>(second)));
  }

  /// Numbers with so many fraction bits, limited to what 16 bits hold, each in both halves of its lane.
  static HWY_INLINE Pairs fixed(Lanes x, int fraction_bits) {
    namespace hn = hwy::HWY_NAMESPACE;
    const auto one = static_cast<float>(1 << fraction_bits);
    const Wholes whole = hn::NearestInt(limit(hn::Mul(x, all(one)), -kOne, kOne));
    return pair(whole, whole);
  }

  /// Of each lane the sum of its two products.
  static HWY_INLINE Wholes products(Pairs a, Pairs b) {
    namespace hn = hwy::HWY_NAMESPACE;
    Wholes second = hn::Zero(WholeTag());
    const Wholes first = hn::ReorderWidenMulAccumulate(WholeTag(), a, b, second, second);
    return hn::RearrangeToOddPlusEven(first, second);
  }

  HWY_INLINE LevelSums sums_of(Wholes q, Wholes qq, Wholes wq) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const LaneTag d;
    LevelSums sums{hn::ConvertTo(d, q), hn::ConvertTo(d, qq), hn::Mul(unit_, hn::ConvertTo(d, wq))};
    if constexpr (kHasMin) {
      sums.wq = hn::Add(sums.wq, hn::Mul(low_, sums.q));
    }
    return sums;
  }

  int fraction_bits_;  // of levels
  size_t count_ = 0;   // of pairs
  Lanes low_, unit_;
  Pairs numbers_[16];
};

}  // namespace terse::passes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
