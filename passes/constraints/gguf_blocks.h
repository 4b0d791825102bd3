#pragma once

#include <atomic>

#include "formats/blocks/block_codec.h"
#include "passes/constraints/constraint.h"

namespace terse::passes {

/// Numbers that blocks of one of GGUF's types can hold (formats/blocks): the block Encoding.
///   Fitting block  a block of the type: 32 or 256 columns. Rows must be whole blocks
///   Layout, range, precision  in the type's file
///   Errors         `widened`: Kind::input if a number is larger than the type holds with scales in f16
class BlockConstraint : public EncodedConstraint {
 public:
  /// `type` can be encoded, and the weight's columns are whole blocks.
  BlockConstraint(const Encoding& weight, BlockType type);

  FittingBlock fitting_block() const override;
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;
  Encoding plan() const override { return encoding_; }
  bool holds_zero() const override { return codec_.holds_zero(); }
  void allocate() override;
  Encoding finish() override;
  std::unique_ptr<EncodedConstraint> widened() const override;

 private:
  class Fit;
  BlockEncoding& parts() { return std::get<BlockEncoding>(encoding_.form); }

  const BlockCodec& codec_;
  Encoding encoding_;
  std::atomic<float> largest_ = 0;  // number, by magnitude
};

}  // namespace terse::passes
