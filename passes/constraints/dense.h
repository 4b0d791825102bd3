#pragma once

#include "passes/constraints/constraint.h"

namespace terse::passes {

/// Numbers of a float type: each rounded to the nearest, ties to even. Behind a mask it stores what the mask leaves.
///   Fitting block  1 column
///   Precision      f32 24 bits, f16 11 bits up to 65504, bf16 8 bits
///   Errors         `snap`: Kind::input if a number is too large for the type
class DenseConstraint : public EncodedConstraint {
 public:
  DenseConstraint(const Encoding& weight, DType dtype);

  FittingBlock fitting_block() const override { return {}; }
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;
  Encoding plan() const override;
  void allocate() override;
  Encoding finish() override;

 private:
  Encoding encoding_;
  Tensor values_;
};

}  // namespace terse::passes
