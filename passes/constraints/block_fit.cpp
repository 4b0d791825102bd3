#include "passes/constraints/block_fit.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "passes/constraints/block_fit.cpp"
#include <hwy/foreach_target.h>  // compiles what follows once for every instruction set
#include <hwy/highway.h>

#include "passes/constraints/block_lanes-inl.h"
#include "passes/constraints/half_lanes-inl.h"
#include "passes/constraints/sub_block_search-inl.h"

HWY_BEFORE_NAMESPACE();
namespace terse::passes::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Everything of some blocks that codes do not hold.
struct LaneParts {
  Lanes scale, min;
  Lanes scales[kMostSubBlocks], mins[kMostSubBlocks];
  Lanes largest;  ///< number, by magnitude
};

template <class Levels, bool kHasMin, bool kWeighted>
class BlockSearch {
 public:
  BlockSearch(const BlockCodec& codec, const BlockLanes& lanes)
      : codec_(codec), levels_(codec), lanes_(lanes), sub_blocks_(static_cast<size_t>(codec.sub_blocks())) {}

  const LaneParts& run() {
    const int rounds = kWeighted || has_multiples() ? 3 : 1;  // of one scale two more win less than a thousandth
    SubBlockSearch<Levels, kHasMin, kWeighted> search(codec_, levels_, lanes_);
    for (size_t j = 0; j < sub_blocks_; ++j) {
      alone_[j] = search.run(static_cast<int64_t>(j));
    }
    best_.largest = alone_[0].largest;
    for (size_t j = 1; j < sub_blocks_; ++j) {
      best_.largest = hn::Max(best_.largest, alone_[j].largest);
    }
    best_error_ = all(3e38F);
    if (!has_multiples()) {
      now_.scale = stored(alone_[0].plain_scale);
      now_.min = kHasMin ? stored(alone_[0].plain_min) : zero();
      fit_multiples();
    }
    now_.scale = choose_scale();
    now_.min = choose_min();
    for (int round = 0; round < rounds; ++round) {
      fit_multiples();
      refit();
    }
    return best_;
  }

  /// The multiples of a sub-block, whose numbers are all that the lanes hold, for this scale and minimum of the block.
  std::pair<Lanes, Lanes> refit_sub_block(Lanes scale, Lanes min) {
    SubBlockSearch<Levels, kHasMin, kWeighted> search(codec_, levels_, lanes_);
    alone_[0] = search.run(0);
    now_.scale = scale;
    now_.min = min;
    const Trial best = fit_sub_block(0, ratio(all(1.0F), scale), ratio(all(1.0F), min));
    return {best.scale, best.min};
  }

 private:
  bool has_multiples() const { return codec_.scales.high > 1; }
  bool has_min_multiples() const { return kHasMin && codec_.mins.high > 1; }

  Lanes whole_scale(Lanes x) const {
    return limit(hn::Round(x), static_cast<float>(codec_.scales.low), static_cast<float>(codec_.scales.high));
  }
  Lanes whole_min(Lanes x) const { return limit(hn::Round(x), 0, static_cast<float>(codec_.mins.high)); }

  static Lanes stored(Lanes x) { return round_to_half(LaneTag(), x); }

  /// Half the second derivative of a sub-block's error by its scale, its minimum always the best one.
  Lanes curvature(size_t j) const {
    const LevelSums& s = alone_[j].sums;
    return kHasMin ? hn::Sub(s.qq, ratio(hn::Mul(s.q, s.q), alone_[j].weight)) : s.qq;
  }

  /// The step of which all targets are nearly whole multiples, as far as their errors count. `round` makes multiples of
  /// quotients, `extreme` is the largest one.
  template <class Round, class Count>
  Lanes choose_step(const Lanes* targets, Lanes peak, float extreme, const Round& round, const Count& count) const {
    Lanes best = zero(), best_cost = all(3e38F);
    for (const float part : multiple_candidates()) {
      const Lanes step = stored(hn::Mul(peak, all(1 / (extreme * part))));
      const Lanes inverse = ratio(all(1.0F), step);
      Lanes cost = zero();
      for (size_t j = 0; j < sub_blocks_; ++j) {
        const Lanes miss = hn::Sub(targets[j], hn::Mul(step, round(hn::Mul(targets[j], inverse))));
        cost = hn::Add(cost, hn::Mul(count(j), hn::Mul(miss, miss)));
      }
      const auto better = hn::Lt(cost, best_cost);
      best_cost = hn::IfThenElse(better, cost, best_cost);
      best = hn::IfThenElse(better, step, best);
    }
    return best;
  }

  Lanes choose_scale() const {
    if (!has_multiples()) {
      return stored(alone_[0].scale);
    }
    Lanes targets[kMostSubBlocks], curvatures[kMostSubBlocks], peak = zero();
    for (size_t j = 0; j < sub_blocks_; ++j) {
      targets[j] = alone_[j].scale;
      curvatures[j] = curvature(j);
      peak = hn::IfThenElse(hn::Gt(hn::Abs(targets[j]), hn::Abs(peak)), targets[j], peak);
    }
    const int extreme = codec_.scales.low < 0 ? codec_.scales.low : codec_.scales.high;
    return choose_step(
        targets, peak, static_cast<float>(extreme), [&](Lanes x) { return whole_scale(x); },
        [&](size_t j) { return curvatures[j]; });
  }

  /// The best minimum of a sub-block if its scale is that.
  Lanes min_for(size_t j, Lanes scale) const {
    const SubBlockFit& fit = alone_[j];
    const Lanes change = hn::Mul(hn::Sub(scale, fit.scale), ratio(fit.sums.q, fit.weight));
    return hn::Max(hn::Add(fit.min, change), zero());
  }

  Lanes choose_min() const {
    if (!has_min_multiples()) {
      return kHasMin ? stored(alone_[0].min) : zero();
    }
    const Lanes inverse = ratio(all(1.0F), now_.scale);
    Lanes targets[kMostSubBlocks], peak = zero();
    for (size_t j = 0; j < sub_blocks_; ++j) {
      targets[j] = min_for(j, hn::Mul(now_.scale, whole_scale(hn::Mul(alone_[j].scale, inverse))));
      peak = hn::Max(peak, targets[j]);
    }
    return choose_step(
        targets, peak, static_cast<float>(codec_.mins.high), [&](Lanes x) { return whole_min(x); },
        [&](size_t j) { return alone_[j].weight; });
  }

  /// A sub-block rounded with these multiples.
  struct Trial {
    Lanes scale, min, error;
    LevelSums sums;
  };

  Trial sweep(size_t j, Lanes scale_multiple, Lanes min_multiple) const {
    const Lanes scale = hn::Mul(now_.scale, scale_multiple), min = hn::Mul(now_.min, min_multiple);
    const Lanes inverse = ratio(all(1.0F), scale);
    Trial trial{scale_multiple, min_multiple, zero(), {zero(), zero(), zero()}};
    const auto begin = static_cast<int64_t>(j) * codec_.sub_elements;
    for (int64_t c = begin; c < begin + codec_.sub_elements; ++c) {
      const Lanes w = lanes_.value(c);
      const Lanes q = levels_.nearest(hn::Mul(kHasMin ? hn::Add(w, min) : w, inverse));
      const Lanes product = hn::Mul(q, scale);
      const Lanes miss = hn::Sub(w, kHasMin ? hn::Sub(product, min) : product);
      trial.error = hn::Add(trial.error, hn::Mul(miss, lanes_.template weigh<kWeighted>(c, miss)));
      const Lanes hq = lanes_.template weigh<kWeighted>(c, q);
      if constexpr (kHasMin) {
        trial.sums.q = hn::Add(trial.sums.q, hq);
      }
      trial.sums.qq = hn::Add(trial.sums.qq, hn::Mul(q, hq));
      trial.sums.wq = hn::Add(trial.sums.wq, hn::Mul(w, hq));
    }
    return trial;
  }

  static void keep_better(const Trial& trial, Trial& best) {
    const auto better = hn::Lt(trial.error, best.error);
    best.error = hn::IfThenElse(better, trial.error, best.error);
    best.scale = hn::IfThenElse(better, trial.scale, best.scale);
    best.min = hn::IfThenElse(better, trial.min, best.min);
    best.sums.q = hn::IfThenElse(better, trial.sums.q, best.sums.q);
    best.sums.qq = hn::IfThenElse(better, trial.sums.qq, best.sums.qq);
    best.sums.wq = hn::IfThenElse(better, trial.sums.wq, best.sums.wq);
  }

  /// The multiple that is nearest to the best minimum for the levels of a trial.
  Lanes better_min(size_t j, const Trial& trial, Lanes inverse_min) const {
    const Lanes scale = hn::Mul(now_.scale, trial.scale);
    const Lanes min = ratio(hn::Sub(hn::Mul(scale, trial.sums.q), alone_[j].w), alone_[j].weight);
    return whole_min(hn::Mul(min, inverse_min));
  }

  Trial fit_sub_block(size_t j, Lanes inverse_scale, Lanes inverse_min) const {
    constexpr float kNeighbours[] = {0, -1, 1};
    const Lanes middle = has_multiples() ? whole_scale(hn::Mul(alone_[j].scale, inverse_scale)) : all(1.0F);
    Trial best{middle, zero(), all(3e38F), {zero(), zero(), zero()}};
    for (const float neighbour : kNeighbours) {
      const Lanes scale = has_multiples() ? whole_scale(hn::Add(middle, all(neighbour))) : middle;
      const Lanes min = has_min_multiples() ? whole_min(hn::Mul(min_for(j, hn::Mul(now_.scale, scale)), inverse_min))
                                            : all(kHasMin ? 1.0F : 0.0F);
      const Trial trial = sweep(j, scale, min);
      keep_better(trial, best);
      if (has_min_multiples()) {
        keep_better(sweep(j, scale, better_min(j, trial, inverse_min)), best);
      }
      if (!has_multiples()) {
        break;
      }
    }
    return best;
  }

  /// The best multiples for the block's scale and minimum as they are; what to refit those from.
  void fit_multiples() {
    const Lanes inverse_scale = ratio(all(1.0F), now_.scale), inverse_min = ratio(all(1.0F), now_.min);
    Lanes error = zero();
    aa_ = ab_ = bb_ = wa_ = wb_ = zero();
    for (size_t j = 0; j < sub_blocks_; ++j) {
      const Trial trial = fit_sub_block(j, inverse_scale, inverse_min);
      now_.scales[j] = trial.scale;
      now_.mins[j] = trial.min;
      error = hn::Add(error, trial.error);
      aa_ = hn::Add(aa_, hn::Mul(trial.sums.qq, hn::Mul(trial.scale, trial.scale)));
      wa_ = hn::Add(wa_, hn::Mul(trial.sums.wq, trial.scale));
      if constexpr (kHasMin) {
        ab_ = hn::Add(ab_, hn::Mul(trial.sums.q, hn::Mul(trial.scale, trial.min)));
        bb_ = hn::Add(bb_, hn::Mul(alone_[j].weight, hn::Mul(trial.min, trial.min)));
        wb_ = hn::Add(wb_, hn::Mul(alone_[j].w, trial.min));
      }
    }
    keep_if_better(error);
  }

  void keep_if_better(Lanes error) {
    const auto better = hn::Lt(error, best_error_);
    best_error_ = hn::IfThenElse(better, error, best_error_);
    best_.scale = hn::IfThenElse(better, now_.scale, best_.scale);
    best_.min = hn::IfThenElse(better, now_.min, best_.min);
    for (size_t j = 0; j < sub_blocks_; ++j) {
      best_.scales[j] = hn::IfThenElse(better, now_.scales[j], best_.scales[j]);
      best_.mins[j] = hn::IfThenElse(better, now_.mins[j], best_.mins[j]);
    }
  }

  /// Scale and minimum by least squares, for w = scale * a - min * b with a = multiple * level, b = multiple.
  void refit() {
    Lanes min = zero();
    if constexpr (kHasMin) {
      const Lanes determinant = hn::Sub(hn::Mul(aa_, bb_), hn::Mul(ab_, ab_));
      const Lanes numerator = hn::Sub(hn::Mul(ab_, wa_), hn::Mul(wb_, aa_));
      min = hn::IfThenElse(hn::Gt(determinant, zero()), hn::Div(numerator, determinant), now_.min);
      min = stored(has_min_multiples() ? hn::Max(min, zero()) : min);
    }
    const Lanes scale = ratio(kHasMin ? hn::Add(wa_, hn::Mul(min, ab_)) : wa_, aa_);
    now_.scale = stored(scale);
    now_.min = min;
  }

  const BlockCodec& codec_;
  const Levels levels_;
  const BlockLanes& lanes_;
  size_t sub_blocks_;
  SubBlockFit alone_[kMostSubBlocks];
  LaneParts now_, best_;
  Lanes best_error_;
  Lanes aa_, ab_, bb_, wa_, wb_;  // weighted sums over the block
};

template <class Levels, bool kHasMin, bool kWeighted>
void fit_block_lanes(const BlockCodec& codec, const BlockLanes& every, BlockFits& fits) {
  const LaneTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t lane = 0; lane < kGridLanes; lane += lanes) {
    const BlockLanes some{every.values + lane, every.importance};
    BlockSearch<Levels, kHasMin, kWeighted> search(codec, some);
    const LaneParts& parts = search.run();
    hn::Store(parts.scale, d, fits.scale.data() + lane);
    hn::Store(parts.min, d, fits.min.data() + lane);
    fits.largest = std::max(fits.largest, hn::GetLane(hn::MaxOfLanes(d, parts.largest)));
    for (size_t j = 0; j < static_cast<size_t>(codec.sub_blocks()); ++j) {
      hn::Store(parts.scales[j], d, fits.scales[j].data() + lane);
      hn::Store(parts.mins[j], d, fits.mins[j].data() + lane);
    }
  }
}

template <class Levels, bool kHasMin, bool kWeighted>
void refit_lanes(const BlockCodec& codec, size_t sub_block, const BlockLanes& every, BlockFits& fits) {
  const LaneTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t lane = 0; lane < kGridLanes; lane += lanes) {
    const BlockLanes some{every.values + lane, every.importance};
    BlockSearch<Levels, kHasMin, kWeighted> search(codec, some);
    const auto [scale, min] = search.refit_sub_block(load(fits.scale.data() + lane), load(fits.min.data() + lane));
    hn::Store(scale, d, fits.scales[sub_block].data() + lane);
    hn::Store(min, d, fits.mins[sub_block].data() + lane);
  }
}

/// Calls body.operator()<Levels, kHasMin>() for a type.
template <class Body>
void dispatch_levels(const BlockCodec& codec, const Body& body) {
  if (codec.table != nullptr) {
    body.template operator()<TableLevels, false>();
  } else if (codec.has_min()) {
    body.template operator()<LinearLevels, true>();
  } else {
    body.template operator()<LinearLevels, false>();
  }
}

void fit_every_block(const BlockCodec& codec, std::span<const LaneColumn> columns, std::span<const float> importance,
                     BlockFits& fits) {
  const BlockLanes lanes{columns.data()->values.data(), importance.data()};
  dispatch_levels(codec, [&]<class Levels, bool kHasMin>() {
    if (importance.empty()) {
      fit_block_lanes<Levels, kHasMin, false>(codec, lanes, fits);
    } else {
      fit_block_lanes<Levels, kHasMin, true>(codec, lanes, fits);
    }
  });
}

void refit_every_sub_block(const BlockCodec& codec, size_t sub_block, std::span<const LaneColumn> columns,
                           std::span<const float> importance, BlockFits& fits) {
  const BlockLanes lanes{columns.data()->values.data(), importance.data()};
  dispatch_levels(codec, [&]<class Levels, bool kHasMin>() {
    if (importance.empty()) {
      refit_lanes<Levels, kHasMin, false>(codec, sub_block, lanes, fits);
    } else {
      refit_lanes<Levels, kHasMin, true>(codec, sub_block, lanes, fits);
    }
  });
}

/// Numbers of one sub-block. Everything by value: the compiler cannot know that codes are written elsewhere.
template <class Levels, bool kHasMin>
class Snap {
 public:
  Snap(const Levels& levels, const SubBlockGrid& grid)
      : levels_(levels), scale_(grid.scale), min_(grid.min), inverse_(grid.scale == 0 ? 0 : 1 / grid.scale) {}

  HWY_INLINE void run(float* values, size_t count, uint8_t* codes) const {
    const LaneTag d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      one_vector(d, values + i, codes + i);
    }
    for (; i < count; ++i) {
      one_vector(hn::CappedTag<float, 1>(), values + i, codes + i);
    }
  }

 private:
  template <class Tag>
  HWY_INLINE void one_vector(Tag d, float* values, uint8_t* codes) const {
    const hn::Rebind<int32_t, Tag> di;
    const hn::Rebind<uint8_t, Tag> du8;
    const auto w = hn::LoadU(d, values), min = hn::Set(d, min_);
    auto code = hn::Zero(d);
    const auto level = levels_.snap(d, hn::Mul(kHasMin ? hn::Add(w, min) : w, hn::Set(d, inverse_)), code);
    const auto product = hn::Mul(level, hn::Set(d, scale_));
    hn::StoreU(kHasMin ? hn::Sub(product, min) : product, d, values);
    hn::StoreU(hn::DemoteTo(du8, hn::ConvertTo(di, code)), du8, codes);
  }

  const Levels levels_;
  const float scale_, min_, inverse_;
};

void snap_some(const BlockCodec& codec, const SubBlockGrid& grid, std::span<float> values, uint8_t* codes) {
  dispatch_levels(codec, [&]<class Levels, bool kHasMin>() {
    Snap<Levels, kHasMin>(Levels(codec), grid).run(values.data(), values.size(), codes);
  });
}

void snap_every_block(const BlockCodec& codec, std::span<BlockParts> blocks, float* values, int64_t stride) {
  const auto count = static_cast<size_t>(codec.sub_elements), sub_blocks = static_cast<size_t>(codec.sub_blocks());
  dispatch_levels(codec, [&]<class Levels, bool kHasMin>() {
    const Levels levels(codec);
    for (size_t i = 0; i < blocks.size(); ++i) {
      float* numbers = values + static_cast<int64_t>(i) * stride;
      for (size_t j = 0; j < sub_blocks; ++j) {
        const Snap<Levels, kHasMin> snap(levels, sub_block_grid(blocks[i], j));
        snap.run(numbers + j * count, count, blocks[i].codes.data() + j * count);
      }
    }
  });
}

}  // namespace terse::passes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace terse::passes {
namespace {

HWY_EXPORT(fit_every_block);
HWY_EXPORT(refit_every_sub_block);
HWY_EXPORT(snap_some);
HWY_EXPORT(snap_every_block);

}  // namespace

BlockFits fit_blocks(const BlockCodec& codec, std::span<const LaneColumn> columns, std::span<const float> importance) {
  BlockFits fits;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  HWY_DYNAMIC_DISPATCH(fit_every_block)(codec, columns, importance, fits);
  return fits;
}

void refit_sub_blocks(const BlockCodec& codec, size_t sub_block, std::span<const LaneColumn> columns,
                      std::span<const float> importance, BlockFits& fits) {
  HWY_DYNAMIC_DISPATCH(refit_every_sub_block)(codec, sub_block, columns, importance, fits);
}

void snap_to_levels(const BlockCodec& codec, const SubBlockGrid& grid, std::span<float> values, uint8_t* codes) {
  HWY_DYNAMIC_DISPATCH(snap_some)(codec, grid, values, codes);
}

void snap_blocks(const BlockCodec& codec, std::span<BlockParts> blocks, float* values, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(snap_every_block)(codec, blocks, values, stride);
}

}  // namespace terse::passes

#endif
