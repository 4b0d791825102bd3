#include <algorithm>

#include "passes/constraints/constraint.h"

namespace terse::passes {
namespace {

class CompositionFit : public PanelFit {
 public:
  CompositionFit(std::vector<std::unique_ptr<PanelFit>> masks, std::unique_ptr<PanelFit> last)
      : masks_(std::move(masks)), last_(std::move(last)) {}

  void fit(const ConstBlock& block, Importance importance) override {
    const Block left = copy(block);
    for (const auto& mask : masks_) {
      mask->fit(as_const(left), importance);
      mask->snap(left);
    }
    last_->fit(as_const(left), importance);
  }

  void refit(const ConstBlock& block, Importance importance) override {
    const Block left = copy(block);
    for (const auto& mask : masks_) {
      mask->snap(left);
    }
    last_->refit(as_const(left), importance);
  }

  void snap(const Block& block) override {
    for (const auto& mask : masks_) {
      mask->snap(block);
    }
    last_->snap(block);
  }

 private:
  Block copy(const ConstBlock& block) {
    scratch_.resize(static_cast<size_t>(block.rows * block.columns));
    for (int64_t row = 0; row < block.rows; ++row) {
      std::copy_n(block.row(row), block.columns, scratch_.data() + row * block.columns);
    }
    return {scratch_.data(), block.rows, block.columns, block.columns, block.first_column};
  }

  std::vector<std::unique_ptr<PanelFit>> masks_;
  std::unique_ptr<PanelFit> last_;
  std::vector<float> scratch_;
};

}  // namespace

Composition::Composition(std::vector<std::unique_ptr<Constraint>> masks, EncodedConstraint& last)
    : masks_(std::move(masks)), last_(last) {}

FittingBlock Composition::fitting_block() const {
  FittingBlock largest = last_.fitting_block();
  for (const auto& mask : masks_) {
    const FittingBlock block = mask->fitting_block();
    largest.rows = std::max(largest.rows, block.rows);
    largest.columns = std::max(largest.columns, block.columns);
  }
  return largest;
}

std::unique_ptr<PanelFit> Composition::begin(int64_t first_row, int64_t row_count) {
  auto last = last_.begin(first_row, row_count);
  if (masks_.empty()) {
    return last;
  }
  std::vector<std::unique_ptr<PanelFit>> masks;
  masks.reserve(masks_.size());
  for (const auto& mask : masks_) {
    masks.push_back(mask->begin(first_row, row_count));
  }
  return std::make_unique<CompositionFit>(std::move(masks), std::move(last));
}

}  // namespace terse::passes
