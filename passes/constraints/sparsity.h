#pragma once

#include "passes/constraints/constraint.h"

namespace terse::passes {

/// N of every M neighbouring columns may differ from zero: those of the largest |w|, or importance * w^2. Of equal
/// ones the first stay. A shorter group at a row's end loses as large a part of its columns, rounded down.
///   Fitting block  M columns
class PatternMask : public Constraint {
 public:
  /// 0 < keep < group
  PatternMask(int64_t keep, int64_t group) : keep_(keep), group_(group) {}

  FittingBlock fitting_block() const override { return {.columns = group_}; }
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;

 private:
  int64_t keep_, group_;
};

/// In every row a part of each 128 neighbouring columns is zero: those of the smallest importance * w^2. The part is
/// kept to over the whole row, to the nearest number.
///   Fitting block  128 columns
class RatioMask : public Constraint {
 public:
  /// 0 < ratio < 1: the part that is zero
  explicit RatioMask(double ratio) : ratio_(ratio) {}

  FittingBlock fitting_block() const override { return {.columns = 128}; }
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;

 private:
  double ratio_;
};

/// Numbers of a magnitude up to a threshold are zero; see magnitude_threshold.
///   Fitting block  1 column
class ThresholdMask : public Constraint {
 public:
  /// `original`: the weight whose magnitudes count, where those that are snapped have moved already; null: they have
  /// not.
  explicit ThresholdMask(float largest_pruned, EncodingPtr original = nullptr)
      : largest_pruned_(largest_pruned), original_(std::move(original)) {}

  FittingBlock fitting_block() const override { return {}; }
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;

 private:
  float largest_pruned_;
  EncodingPtr original_;
};

/// The magnitude up to which numbers have to be zero, for `ratio` of all numbers of these weights to be zero. Equal
/// magnitudes are pruned together or not at all, whichever comes closer to the ratio; -1: none.
/// Errors:  Kind::input if there is a number that is not finite.
/// Cost:    decodes the weights twice, 0.5 MiB of counters a thread.
float magnitude_threshold(std::span<const EncodingPtr> weights, double ratio);

}  // namespace terse::passes
