#include "passes/constraints/gguf_blocks.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "formats/error.h"
#include "passes/constraints/block_fit.h"
#include "passes/constraints/half_range.h"

namespace terse::passes {
namespace {

// Weights of columns, relative to the largest of their block: far smaller ones would drown in rounding errors.
constexpr float kLeastImportance = 1e-8F;

/// The largest number that a type holds for sure.
float largest_number(const BlockCodec& codec) {
  if (codec.has_min()) {
    return kLargestHalf * static_cast<float>(codec.mins.high);
  }
  const int level = codec.table != nullptr ? codec.table->back() : codec.codes - 1 - codec.offset;
  return kLargestHalf * static_cast<float>(level * codec.scales.high);
}

}  // namespace

class BlockConstraint::Fit : public PanelFit {
 public:
  Fit(BlockConstraint& owner, int64_t first_row) : owner_(owner), codec_(owner.codec_), first_row_(first_row) {}

  ~Fit() override {
    store();
    raise_to(owner_.largest_, largest_);
  }
  Fit(const Fit&) = delete;
  Fit& operator=(const Fit&) = delete;

  void fit(const ConstBlock& block, Importance importance) override {
    assert(block.first_column % codec_.elements == 0 && block.columns % codec_.elements == 0);
    const int64_t first_block = block.first_column / codec_.elements, blocks = block.columns / codec_.elements;
    rows_ = block.rows;
    parts_.resize(static_cast<size_t>((first_block + blocks) * rows_));
    for (int64_t b = 0; b < blocks; ++b) {
      const auto begin = static_cast<size_t>(b * codec_.elements), count = static_cast<size_t>(codec_.elements);
      set_importance(importance.empty() ? importance : importance.subspan(begin, count));
      for (int64_t row = 0; row < block.rows; row += kGridLanes) {
        fit_lanes(block.slice(b * codec_.elements, codec_.elements), row, first_block + b);
      }
    }
  }

  void snap(const Block& block) override {
    const int64_t first = block.first_column;
    for (int64_t row = 0; row < block.rows; ++row) {
      for (int64_t begin = first; begin < first + block.columns;) {
        const int64_t sub_block = begin / codec_.sub_elements;
        const int64_t end = std::min(first + block.columns, (sub_block + 1) * codec_.sub_elements);
        snap_sub_block({block.row(row) + begin - first, static_cast<size_t>(end - begin)}, row, begin);
        begin = end;
      }
    }
  }

 private:
  BlockParts& parts(int64_t row, int64_t block) { return parts_[static_cast<size_t>(block * rows_ + row)]; }

  void set_importance(Importance importance) {
    importance_.assign(importance.begin(), importance.end());
    const float largest = importance.empty() ? 0 : *std::max_element(importance.begin(), importance.end());
    if (!(largest > 0) || std::isinf(largest)) {
      importance_.clear();  // nothing counts: all count the same
    }
    for (float& weight : importance_) {
      weight = std::max(weight / largest, kLeastImportance);
    }
  }

  /// One block of each of up to 16 rows. Rows that are missing are zeros.
  void fit_lanes(const ConstBlock& block, int64_t row, int64_t block_index) {
    const int64_t rows = std::min(kGridLanes, block.rows - row);
    lanes_.assign(static_cast<size_t>(block.columns), {});
    for (int64_t lane = 0; lane < rows; ++lane) {
      const float* numbers = block.row(row + lane);
      for (int64_t column = 0; column < block.columns; ++column) {
        lanes_[static_cast<size_t>(column)].values[static_cast<size_t>(lane)] = numbers[column];
        largest_ = std::max(largest_, std::fabs(numbers[column]));
      }
    }
    const BlockFits fits = fit_blocks(codec_, lanes_, importance_);
    for (int64_t lane = 0; lane < rows; ++lane) {
      const auto i = static_cast<size_t>(lane);
      BlockParts& out = parts(row + lane, block_index);
      out.scale = fits.scale[i];
      out.min = fits.min[i];
      for (size_t j = 0; j < static_cast<size_t>(codec_.sub_blocks()); ++j) {
        out.scales[j] = static_cast<int16_t>(fits.scales[j][i]);
        out.mins[j] = static_cast<uint8_t>(fits.mins[j][i]);
      }
    }
  }

  void snap_sub_block(std::span<float> numbers, int64_t row, int64_t column) {
    BlockParts& target = parts(row, column / codec_.elements);
    const int64_t inside = column % codec_.elements;
    const auto j = static_cast<size_t>(inside / codec_.sub_elements);
    const SubBlockGrid grid{.scale = target.scale * static_cast<float>(target.scales[j]),
                            .min = target.min * static_cast<float>(target.mins[j])};
    snap_to_levels(codec_, grid, numbers, target.codes.data() + inside);
  }

  /// Packs what was fitted and snapped: only in the end, since columns may be snapped one by one, and again.
  void store() {
    const BlockTypeRow& type = terse::row(owner_.parts().type);
    const int64_t row_bytes = block_row_bytes(type.type, owner_.encoding_.columns());
    uint8_t* bytes = owner_.parts().blocks.mutable_values<uint8_t>().data();
    for (size_t i = 0; i < parts_.size(); ++i) {
      const int64_t block = static_cast<int64_t>(i) / rows_, row = static_cast<int64_t>(i) % rows_;
      codec_.pack(parts_[i], bytes + (first_row_ + row) * row_bytes + block * type.bytes);
    }
  }

  BlockConstraint& owner_;
  const BlockCodec& codec_;
  int64_t first_row_, rows_ = 0;
  std::vector<BlockParts> parts_;  // [blocks, rows] of what was fitted so far
  std::vector<LaneColumn> lanes_;
  std::vector<float> importance_;
  float largest_ = 0;
};

BlockConstraint::BlockConstraint(const Encoding& weight, BlockType type)
    : codec_(*row(type).codec), encoding_{.shape = weight.shape, .form = BlockEncoding{.type = type, .blocks = {}}} {
  assert(codec_.pack != nullptr && weight.columns() % codec_.elements == 0);
}

FittingBlock BlockConstraint::fitting_block() const { return {.rows = 1, .columns = codec_.elements}; }

std::unique_ptr<PanelFit> BlockConstraint::begin(int64_t first_row, int64_t /*row_count*/) {
  return std::make_unique<Fit>(*this, first_row);
}

void BlockConstraint::allocate() {
  parts().blocks = Tensor::make(DType::u8, {encoding_.rows(), block_row_bytes(parts().type, encoding_.columns())});
}

Encoding BlockConstraint::finish() { return std::move(encoding_); }

std::unique_ptr<EncodedConstraint> BlockConstraint::widened() const {
  const float limit = largest_number(codec_);
  if (largest_ > limit) {
    throw Error(Kind::input,
                "holds the number {:.3g}, {} holds up to {:.3g}: leave it out with except=", largest_.load(),
                describe(encoding_), limit);
  }
  return nullptr;
}

}  // namespace terse::passes
