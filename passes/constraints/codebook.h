#pragma once

#include <atomic>

#include "passes/constraints/constraint.h"

namespace terse::passes {

struct CodebookOptions {
  int64_t centroids = 16;  ///< 2 to 256
  int64_t group_rows = 1;  ///< rows that share a codebook; 0: all of them
  DType centroid_dtype = DType::f16;
  /// What to do if centroids are too large or all too small for f16.
  enum class Overflow { widen, refuse } overflow = Overflow::widen;
};

/// Numbers out of a small table for each group of rows: the codebook Encoding. The table is the optimum of weighted
/// 1-D k-means, see cluster_means. Numbers that are exactly zero (pruned ones) have a centroid of their own.
///   Fitting block  group_rows whole rows
///   Layout         formats/encoding.h, CodebookEncoding
///   Precision      the mean squared error of normal numbers with 16 centroids a row of 576 is 0.8 % of their variance.
///                  In groups of more than 4096 numbers those that share their 16 leading bits are one point
///   Range          f16 centroids: up to 65504; beyond, and where all are below 2^-14, see Overflow
///   Errors         constructor: Kind::input if group_rows does not divide the rows; `widened`: Kind::input with
///                  Overflow::refuse
class CodebookConstraint : public EncodedConstraint {
 public:
  CodebookConstraint(const Encoding& weight, const CodebookOptions& options);

  FittingBlock fitting_block() const override;
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;
  Encoding plan() const override { return encoding_; }
  void allocate() override;
  Encoding finish() override { return std::move(encoding_); }
  std::unique_ptr<EncodedConstraint> widened() const override;

 private:
  class Fit;
  CodebookEncoding& parts() { return std::get<CodebookEncoding>(encoding_.form); }

  CodebookOptions options_;
  Encoding encoding_;
  std::atomic<float> largest_ = 0;  // centroid by magnitude, before it was rounded
};

}  // namespace terse::passes
