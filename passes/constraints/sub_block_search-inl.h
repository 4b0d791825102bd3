// Included once for every instruction set.
#if defined(TERSE_PASSES_CONSTRAINTS_SUB_BLOCK_SEARCH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_PASSES_CONSTRAINTS_SUB_BLOCK_SEARCH_INL_H
#undef TERSE_PASSES_CONSTRAINTS_SUB_BLOCK_SEARCH_INL_H
#else
#define TERSE_PASSES_CONSTRAINTS_SUB_BLOCK_SEARCH_INL_H
#endif

#include "passes/constraints/block_candidates.h"
#include "passes/constraints/block_lanes-inl.h"
#include "passes/constraints/integer_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace terse::passes::HWY_NAMESPACE {

/// The best scale and minimum of one sub-block alone, as floats: w is nearly scale * level - min.
struct SubBlockFit {
  Lanes scale, min;
  Lanes weight, w;               ///< sums that do not depend on levels; w only with a minimum
  Lanes largest;                 ///< number, by magnitude
  LevelSums sums;                ///< for the levels found
  Lanes plain_scale, plain_min;  ///< the first candidate as it is: plain rounding
};

template <class Levels, bool kHasMin, bool kWeighted>
class SubBlockSearch {
 public:
  SubBlockSearch(const BlockCodec& codec, const Levels& levels, const BlockLanes& lanes)
      : codec_(codec), levels_(levels), lanes_(lanes), integers_(codec) {}

  SubBlockFit run(int64_t sub_block) {
    namespace hn = hwy::HWY_NAMESPACE;
    constexpr size_t kAtOnce = 4;
    begin_ = sub_block * codec_.sub_elements;
    look_around();
    best_.scale = best_.min = best_.sums.q = best_.sums.qq = best_.sums.wq = zero();
    best_gain_ = all(-1.0F);
    const auto [candidates, rounds] = sub_block_plan(codec_, kWeighted ? ErrorWeights::differing : ErrorWeights::equal);
    best_.plain_scale = hn::Mul(peak_, all(1 / candidates[0].step));
    best_.plain_min = hn::Neg(low_);
    for (size_t i = 0; i < candidates.size(); i += kAtOnce) {
      try_candidates<kAtOnce>(candidates.subspan(i, kAtOnce));
    }
    for (const auto& neighbours : std::span(kNeighbours).first(rounds)) {
      LevelMap maps[kAtOnce];
      const Lanes inverse = ratio(all(1.0F), best_.scale);
      const Lanes bias = hn::Mul(best_.min, inverse);
      for (size_t i = 0; i < kAtOnce; ++i) {
        maps[i].factor = hn::Mul(inverse, all(neighbours[i].step));
        maps[i].bias = hn::Add(bias, all(neighbours[i].shift));
      }
      try_maps<kAtOnce>(maps);
    }
    return best_;
  }

 private:
  // Fits have many local optima: factors of a few hundredths and shifts of a fraction of a code lead from one to the
  // next, which refitting alone does not. The same factors serve any number of codes; smaller ones for many codes win
  // less.
  static constexpr float kShift = kHasMin ? 0.2F : 0, kLittle = kHasMin ? 0 : 0.008F;
  static constexpr GridCandidate kNeighbours[][4] = {{{1, 0}, {0.97F, kShift}, {1.03F, -kShift}, {0.985F, 0}},
                                                     {{1, 0}, {1.015F, 0}, {1 - kLittle, 0.25F}, {1 + kLittle, -0.25F}},
                                                     {{1, 0}, {0.98F, -kShift}, {1.02F, kShift}, {1.008F, 0}}};

  void look_around() {
    namespace hn = hwy::HWY_NAMESPACE;
    const bool from_zero = !kHasMin || codec_.mins.high > 1;  // minima are subtracted: none is above zero
    Lanes low = from_zero ? zero() : lanes_.value(begin_), high = low;
    best_.weight = kWeighted ? zero() : all(static_cast<float>(codec_.sub_elements));
    best_.w = zero();
    for (int64_t c = begin_; c < begin_ + codec_.sub_elements; ++c) {
      const Lanes w = lanes_.value(c);
      low = hn::Min(low, w);
      high = hn::Max(high, w);
      if constexpr (kWeighted) {
        best_.weight = hn::Add(best_.weight, lanes_.weigh<kWeighted>(c, all(1.0F)));
      }
      if constexpr (kHasMin) {
        best_.w = hn::Add(best_.w, lanes_.weigh<kWeighted>(c, w));
      }
    }
    best_.largest = hn::Max(high, hn::Neg(low));
    low_ = low;
    peak_ = kHasMin ? hn::Sub(high, low) : hn::IfThenElse(hn::Ge(high, hn::Neg(low)), high, low);
    const auto tiny = hn::Lt(hn::Abs(peak_), all(1e-30F));
    inverse_peak_ = hn::IfThenZeroElse(tiny, hn::Div(all(1.0F), peak_));
    if constexpr (!kWeighted) {
      integers_.set(lanes_, begin_, codec_.sub_elements, low_, peak_, inverse_peak_);
    }
  }

  template <size_t kCount>
  HWY_INLINE void try_candidates(std::span<const GridCandidate> candidates) {
    namespace hn = hwy::HWY_NAMESPACE;
    LevelMap maps[kCount];
    for (size_t i = 0; i < kCount; ++i) {
      maps[i].factor = hn::Mul(inverse_peak_, all(candidates[i].step));
      maps[i].bias = hn::Sub(all(candidates[i].shift), hn::Mul(low_, maps[i].factor));
    }
    try_maps<kCount>(maps);
  }

  template <size_t kCount>
  HWY_INLINE void try_maps(const LevelMap (&maps)[kCount]) {
    LevelSums sums[kCount];
    if constexpr (kWeighted) {
      sweep(maps, sums);
    } else {
      integers_.sweep(levels_, maps, sums);
    }
    for (size_t i = 0; i < kCount; ++i) {
      keep_better(sums[i]);
    }
  }

  /// Several maps in one sweep, for their sums not to wait for one another.
  template <size_t kCount>
  HWY_INLINE void sweep(const LevelMap (&maps)[kCount], LevelSums (&sums)[kCount]) const {
    namespace hn = hwy::HWY_NAMESPACE;
    for (size_t i = 0; i < kCount; ++i) {
      sums[i].q = sums[i].qq = sums[i].wq = zero();
    }
    for (int64_t c = begin_; c < begin_ + codec_.sub_elements; ++c) {
      const Lanes w = lanes_.value(c);
      for (size_t i = 0; i < kCount; ++i) {
        const Lanes scaled = hn::Mul(w, maps[i].factor);
        const Lanes q = levels_.nearest(kHasMin ? hn::Add(scaled, maps[i].bias) : scaled);
        const Lanes hq = lanes_.weigh<kWeighted>(c, q);
        if constexpr (kHasMin) {
          sums[i].q = hn::Add(sums[i].q, hq);
        }
        sums[i].qq = hn::Add(sums[i].qq, hn::Mul(q, hq));
        sums[i].wq = hn::Add(sums[i].wq, hn::Mul(w, hq));
      }
    }
  }

  /// Scale and minimum of least squares for these levels, if they are the best so far. Errors are <w, w> - gain.
  HWY_INLINE void keep_better(const LevelSums& s) {
    namespace hn = hwy::HWY_NAMESPACE;
    Lanes scale = ratio(s.wq, s.qq), min = zero();
    if constexpr (kHasMin) {
      const Lanes determinant = hn::Sub(hn::Mul(best_.weight, s.qq), hn::Mul(s.q, s.q));
      const Lanes numerator = hn::Sub(hn::Mul(best_.weight, s.wq), hn::Mul(best_.w, s.q));
      const Lanes with_min = hn::IfThenElseZero(hn::Gt(determinant, zero()), hn::Div(numerator, determinant));
      min = ratio(hn::Sub(hn::Mul(with_min, s.q), best_.w), best_.weight);
      if (codec_.mins.high > 1) {
        const auto usable = hn::Gt(min, zero());
        min = hn::IfThenElseZero(usable, min);
        scale = hn::IfThenElse(usable, with_min, scale);
      } else {
        scale = with_min;
      }
    }
    const Lanes gain = gain_of(scale, min, s);
    const auto better = hn::Gt(gain, best_gain_);
    best_gain_ = hn::IfThenElse(better, gain, best_gain_);
    best_.scale = hn::IfThenElse(better, scale, best_.scale);
    best_.min = hn::IfThenElse(better, min, best_.min);
    best_.sums.q = hn::IfThenElse(better, s.q, best_.sums.q);
    best_.sums.qq = hn::IfThenElse(better, s.qq, best_.sums.qq);
    best_.sums.wq = hn::IfThenElse(better, s.wq, best_.sums.wq);
  }

  HWY_INLINE Lanes gain_of(Lanes scale, Lanes min, const LevelSums& s) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const Lanes of_scale = hn::Mul(scale, hn::Sub(hn::Add(s.wq, s.wq), hn::Mul(scale, s.qq)));
    if constexpr (!kHasMin) {
      return of_scale;
    }
    const Lanes cross = hn::Sub(hn::Mul(scale, s.q), best_.w);
    return hn::Add(of_scale, hn::Mul(min, hn::Sub(hn::Add(cross, cross), hn::Mul(min, best_.weight))));
  }

  const BlockCodec& codec_;
  const Levels& levels_;
  const BlockLanes& lanes_;
  IntegerLanes<kHasMin> integers_;
  int64_t begin_ = 0;
  Lanes low_, peak_, inverse_peak_, best_gain_;
  SubBlockFit best_;
};

}  // namespace terse::passes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
