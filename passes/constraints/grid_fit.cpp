#include "passes/constraints/grid_fit.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "passes/constraints/grid_fit.cpp"
#include <hwy/foreach_target.h>  // compiles what follows once for every instruction set
#include <hwy/highway.h>

#include "passes/constraints/half_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace terse::passes::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, kGridLanes>;
using V = hn::Vec<D>;

// Products and sums are rounded one by one (no fused multiply-add), for the same bits everywhere.

/// A scale as bf16 stores it: to the nearest, ties to even. Scales are finite and far below the largest bf16.
HWY_INLINE V round_to_bfloat16(V x) {
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1U));
  const auto rounded = hn::Add(bits, hn::Add(hn::Set(du, 0x7fffU), odd));
  return hn::BitCast(D(), hn::And(rounded, hn::Set(du, 0xffff0000U)));
}

/// What one vector of blocks looks like.
struct Blocks {
  const float* values;  ///< of this vector's lanes; the next column is kGridLanes floats further
  const float* importance;
  int64_t columns;
};

template <bool kWeighted>
HWY_INLINE V weigh(const Blocks& blocks, int64_t column, V q) {
  if constexpr (kWeighted) {
    return hn::Mul(q, hn::Set(D(), blocks.importance[column]));
  } else {
    return q;
  }
}

struct LaneGrids {
  V scale, zero;
};

template <bool kWeighted>
class Search {
 public:
  Search(const GridSpec& spec, const Blocks& blocks) : spec_(spec), blocks_(blocks) { find_range(); }

  LaneGrids run(std::span<const GridCandidate> candidates) {
    constexpr size_t kAtOnce = 4;
    const V plain = stored(hn::Mul(peak_, hn::Set(D(), 1 / candidates[0].step)));
    const V plain_zero = zero_of(candidates[0]);
    best_gain_ = hn::Set(D(), -1.0F);
    best_ = {plain, plain_zero};
    for (size_t i = 0; i < candidates.size(); i += kAtOnce) {
      try_candidates<kAtOnce>(candidates.subspan(i, kAtOnce));
    }
    return refine({plain, plain_zero});
  }

  V peak_scale(std::span<const GridCandidate> candidates) const {
    return hn::Mul(peak_, hn::Set(D(), 1 / candidates[0].step));
  }

 private:
  float top() const { return static_cast<float>((1 << spec_.bits) - 1); }

  void find_range() {
    const D d;
    V low = hn::Zero(d), high = hn::Zero(d);
    for (int64_t c = 0; c < blocks_.columns; ++c) {
      const V w = load(c);
      low = hn::Min(low, w);
      high = hn::Max(high, w);
    }
    low_ = low;
    peak_ = spec_.asymmetric ? hn::Sub(high, low) : hn::IfThenElse(hn::Ge(high, hn::Neg(low)), high, low);
    const auto tiny = hn::Lt(hn::Abs(peak_), hn::Set(d, 1e-30F));
    peak_ = hn::IfThenZeroElse(tiny, peak_);
    inverse_peak_ = hn::IfThenZeroElse(tiny, hn::Div(hn::Set(d, 1.0F), peak_));
  }

  V load(int64_t column) const { return hn::Load(D(), blocks_.values + column * kGridLanes); }

  V stored(V scale) const {
    return spec_.scale_dtype == DType::f16    ? round_to_half(D(), scale)
           : spec_.scale_dtype == DType::bf16 ? round_to_bfloat16(scale)
                                              : scale;
  }

  V zero_of(const GridCandidate& candidate) const {
    const D d;
    if (!spec_.asymmetric) {
      return hn::Set(d, static_cast<float>(1 << (spec_.bits - 1)));
    }
    const V place = hn::Round(hn::Mul(hn::Neg(low_), hn::Mul(inverse_peak_, hn::Set(d, top()))));
    return hn::Min(hn::Max(hn::Add(place, hn::Set(d, candidate.shift)), hn::Zero(d)), hn::Set(d, top()));
  }

  /// Several candidates in one sweep, for their sums not to wait for one another.
  template <size_t kCount>
  HWY_INLINE void try_candidates(std::span<const GridCandidate> candidates) {
    const D d;
    V inverse[kCount], zero[kCount], wq[kCount], qq[kCount];
    for (size_t i = 0; i < kCount; ++i) {
      inverse[i] = hn::Mul(inverse_peak_, hn::Set(d, candidates[i].step));
      zero[i] = zero_of(candidates[i]);
      wq[i] = qq[i] = hn::Zero(d);
    }
    for (int64_t c = 0; c < blocks_.columns; ++c) {
      const V w = load(c);
      for (size_t i = 0; i < kCount; ++i) {
        const V q = code(w, inverse[i], zero[i]);
        const V hq = weigh<kWeighted>(blocks_, c, q);
        wq[i] = hn::Add(wq[i], hn::Mul(w, hq));
        qq[i] = hn::Add(qq[i], hn::Mul(q, hq));
      }
    }
    for (size_t i = 0; i < kCount; ++i) {
      keep_better(wq[i], qq[i], zero[i]);
    }
  }

  /// code - zero
  HWY_INLINE V code(V w, V inverse, V zero) const {
    const V q = hn::Round(hn::Mul(w, inverse));
    return hn::Min(hn::Max(q, hn::Neg(zero)), hn::Sub(hn::Set(D(), top()), zero));
  }

  HWY_INLINE V least_squares(V wq, V qq) const {
    return stored(hn::IfThenElseZero(hn::Gt(qq, hn::Zero(D())), hn::Div(wq, qq)));
  }

  /// The error is <w, w> - gain.
  HWY_INLINE void keep_better(V wq, V qq, V zero) {
    const V scale = least_squares(wq, qq);
    const V gain = hn::Mul(scale, hn::Sub(hn::Add(wq, wq), hn::Mul(scale, qq)));
    const auto better = hn::Gt(gain, best_gain_);
    best_gain_ = hn::IfThenElse(better, gain, best_gain_);
    best_.scale = hn::IfThenElse(better, scale, best_.scale);
    best_.zero = hn::IfThenElse(better, zero, best_.zero);
  }

  /// Rounds to a grid: its error, and the scale that fits those codes best.
  struct Rounded {
    V error, scale;
  };

  Rounded round(const LaneGrids& grid) const {
    const D d;
    const V inverse = hn::IfThenZeroElse(hn::Eq(grid.scale, hn::Zero(d)), hn::Div(hn::Set(d, 1.0F), grid.scale));
    V error = hn::Zero(d), wq = hn::Zero(d), qq = hn::Zero(d);
    for (int64_t c = 0; c < blocks_.columns; ++c) {
      const V w = load(c);
      const V q = code(w, inverse, grid.zero);
      const V difference = hn::Sub(w, hn::Mul(q, grid.scale));
      error = hn::Add(error, hn::Mul(difference, weigh<kWeighted>(blocks_, c, difference)));
      const V hq = weigh<kWeighted>(blocks_, c, q);
      wq = hn::Add(wq, hn::Mul(w, hq));
      qq = hn::Add(qq, hn::Mul(q, hq));
    }
    return {error, least_squares(wq, qq)};
  }

  /// The best of: plain rounding, the best candidate, that one refitted once and twice. By their true errors.
  LaneGrids refine(const LaneGrids& plain) const {
    constexpr int kRefits = 2;
    LaneGrids best = plain;
    V best_error = round(plain).error;
    LaneGrids next = best_;
    for (int refit = 0; refit <= kRefits; ++refit) {
      const Rounded rounded = round(next);
      const auto better = hn::Lt(rounded.error, best_error);
      best_error = hn::IfThenElse(better, rounded.error, best_error);
      best.scale = hn::IfThenElse(better, next.scale, best.scale);
      best.zero = hn::IfThenElse(better, next.zero, best.zero);
      next.scale = rounded.scale;
    }
    return best;
  }

  const GridSpec& spec_;
  Blocks blocks_;
  V low_, peak_, inverse_peak_, best_gain_;
  LaneGrids best_;
};

template <bool kWeighted>
void fit_lanes(const GridSpec& spec, std::span<const GridCandidate> candidates, const Blocks& all, GridFits& fits) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t lane = 0; lane < kGridLanes; lane += lanes) {
    Search<kWeighted> search(spec, {all.values + lane, all.importance, all.columns});
    const LaneGrids grids = search.run(candidates);
    hn::Store(grids.scale, d, fits.scale.data() + lane);
    hn::Store(grids.zero, d, fits.zero.data() + lane);
    hn::Store(search.peak_scale(candidates), d, fits.peak_scale.data() + lane);
  }
}

void fit(const GridSpec& spec, std::span<const GridCandidate> candidates, std::span<const LaneColumn> columns,
         std::span<const float> importance, GridFits& fits) {
  const Blocks all{columns.data()->values.data(), importance.data(), static_cast<int64_t>(columns.size())};
  if (importance.empty()) {
    fit_lanes<false>(spec, candidates, all, fits);
  } else {
    fit_lanes<true>(spec, candidates, all, fits);
  }
}

template <class Tag>
HWY_INLINE void snap_vector(Tag d, const Grid& grid, float inverse, float* values, uint8_t* codes) {
  const auto zero = hn::Set(d, static_cast<float>(grid.zero));
  const auto top = hn::Set(d, static_cast<float>((1 << grid.bits) - 1 - grid.zero));
  const auto q = hn::Round(hn::Mul(hn::LoadU(d, values), hn::Set(d, inverse)));
  const auto limited = hn::Min(hn::Max(q, hn::Neg(zero)), top);
  hn::StoreU(hn::Mul(limited, hn::Set(d, grid.scale)), d, values);
  const hn::Rebind<int32_t, Tag> di;
  const hn::Rebind<uint8_t, Tag> du8;
  hn::StoreU(hn::DemoteTo(du8, hn::ConvertTo(di, hn::Add(limited, zero))), du8, codes);
}

void snap(std::span<float> values, const Grid& grid, uint8_t* codes) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float inverse = grid.scale == 0 ? 0 : 1 / grid.scale;
  size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    snap_vector(d, grid, inverse, values.data() + i, codes + i);
  }
  for (; i < values.size(); ++i) {
    snap_vector(hn::CappedTag<float, 1>(), grid, inverse, values.data() + i, codes + i);
  }
}

}  // namespace terse::passes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace terse::passes {
namespace {

HWY_EXPORT(fit);
HWY_EXPORT(snap);

// Steps around the end of the grid follow the least error of blocks of 16 to 2000 normal and of heavier-tailed numbers:
// the larger the block, the more its peak sticks out and the more is won by cutting it off. In fours, as they are
// tried.
constexpr std::array<GridCandidate, 24> kSymmetric2 = {{
    {-2, 0},     {-1.25F, 0}, {-1.5F, 0},  {-1.75F, 0}, {-2.25F, 0}, {-2.5F, 0}, {-2.75F, 0}, {-3, 0},
    {-3.25F, 0}, {-3.5F, 0},  {-3.75F, 0}, {-4.5F, 0},  {1, 0},      {1.25F, 0}, {1.5F, 0},   {1.75F, 0},
    {2, 0},      {2.25F, 0},  {2.5F, 0},   {2.75F, 0},  {3, 0},      {3.25F, 0}, {3.5F, 0},   {4, 0},
}};
constexpr std::array<GridCandidate, 12> kSymmetric4 = {{
    {-8, 0},
    {-7, 0},
    {-7.35F, 0},
    {-7.7F, 0},
    {-8.35F, 0},
    {-8.7F, 0},
    {-9.2F, 0},
    {-9.8F, 0},
    {-10.5F, 0},
    {-11.5F, 0},
    {-13, 0},
    {-15, 0},
}};
constexpr std::array<GridCandidate, 4> kSymmetric8 = {{{-128, 0}, {-125, 0}, {-131, 0}, {-136, 0}}};
constexpr std::array<GridCandidate, 20> kAsymmetric2 = {{
    {3, 0},     {2.6F, 0},  {3.4F, 0},  {3.9F, 0}, {4.5F, 0}, {5.2F, 0}, {6, 0},    {3, -1},   {2.6F, -1}, {3.4F, -1},
    {3.9F, -1}, {4.5F, -1}, {5.2F, -1}, {3, 1},    {2.6F, 1}, {3.4F, 1}, {3.9F, 1}, {4.5F, 1}, {5.2F, 1},  {6, 1},
}};
constexpr std::array<GridCandidate, 20> kAsymmetric4 = {{
    {15, 0},    {14.3F, 0},  {15.7F, 0}, {16.5F, 0},  {17.5F, 0},  {19, 0},     {21, 0},
    {24, 0},    {14.3F, -1}, {15, -1},   {15.7F, -1}, {16.5F, -1}, {17.5F, -1}, {20, -1},
    {14.3F, 1}, {15, 1},     {15.7F, 1}, {16.5F, 1},  {17.5F, 1},  {20, 1},
}};
constexpr std::array<GridCandidate, 4> kAsymmetric8 = {{{255, 0}, {252, 0}, {258, 0}, {264, 0}}};

}  // namespace

std::span<const GridCandidate> grid_candidates(const GridSpec& spec) {
  if (spec.asymmetric) {
    return spec.bits == 2   ? std::span<const GridCandidate>(kAsymmetric2)
           : spec.bits == 4 ? std::span<const GridCandidate>(kAsymmetric4)
                            : std::span<const GridCandidate>(kAsymmetric8);
  }
  return spec.bits == 2   ? std::span<const GridCandidate>(kSymmetric2)
         : spec.bits == 4 ? std::span<const GridCandidate>(kSymmetric4)
                          : std::span<const GridCandidate>(kSymmetric8);
}

GridFits fit_grids(const GridSpec& spec, std::span<const LaneColumn> columns, std::span<const float> importance) {
  GridFits fits;
  HWY_DYNAMIC_DISPATCH(fit)(spec, grid_candidates(spec), columns, importance, fits);
  return fits;
}

void snap_to_grid(std::span<float> values, const Grid& grid, uint8_t* codes) {
  HWY_DYNAMIC_DISPATCH(snap)(values, grid, codes);
}

}  // namespace terse::passes

#endif
