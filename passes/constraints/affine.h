#pragma once

#include <atomic>

#include "passes/constraints/constraint.h"
#include "passes/constraints/grid_fit.h"

namespace terse::passes {

struct AffineOptions {
  /// What shares a scale: a block of columns (16 to 256, a power of two), a row, or the whole weight.
  enum class Scope { block, channel, tensor };

  int bits = 4;  ///< 2, 4 or 8
  Scope scope = Scope::block;
  int64_t block_columns = 32;
  bool asymmetric = false;
  DType scale_dtype = DType::f16;
  /// What to do if scales are too large or all too small for f16.
  enum class Overflow { widen, refuse } overflow = Overflow::widen;
};

/// Numbers on a grid of 2^bits evenly spaced ones, stored as codes, scales and (asymmetric) zero points: the affine
/// Encoding. Zero is always on the grid.
///   Fitting block  the columns that share a scale; the whole weight with Scope::tensor
///   Layout         formats/encoding.h, AffineEncoding
///   Precision      the mean squared error of normal numbers at 4 bits and blocks of 32 is 0.65 % of their variance
///   Range          f16 scales: up to 65504 * 2^(bits-1); beyond, and where all are below 2^-14, see Overflow
///   Errors         `widened`: Kind::input with Overflow::refuse
class AffineConstraint : public EncodedConstraint {
 public:
  AffineConstraint(const Encoding& weight, const AffineOptions& options);

  FittingBlock fitting_block() const override;
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;
  Encoding plan() const override { return encoding_; }
  void allocate() override;
  Encoding finish() override;
  std::unique_ptr<EncodedConstraint> widened() const override;

 private:
  class Fit;
  AffineEncoding& parts() { return std::get<AffineEncoding>(encoding_.form); }

  AffineOptions options_;
  Encoding encoding_;
  std::atomic<float> largest_scale_ = 0;  // by magnitude, before it was limited
};

}  // namespace terse::passes
