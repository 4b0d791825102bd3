#include "passes/constraints/gguf_blocks.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "formats/error.h"
#include "formats/transpose.h"
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
  Fit(BlockConstraint& owner, int64_t first_row)
      : owner_(owner),
        codec_(owner.codec_),
        first_row_(first_row),
        block_bytes_(terse::row(owner.parts().type).bytes),
        row_bytes_(block_row_bytes(owner.parts().type, owner.encoding_.columns())),
        bytes_(owner.parts().blocks.mutable_values<uint8_t>().data()) {}

  ~Fit() override {
    store();
    raise_to(owner_.largest_, largest_);
  }
  Fit(const Fit&) = delete;
  Fit& operator=(const Fit&) = delete;

  void fit(const ConstBlock& block, Importance importance) override {
    rows_ = block.rows;
    const int64_t blocks = (block.first_column + block.columns) / codec_.elements;
    parts_.resize(std::max(parts_.size(), static_cast<size_t>(blocks * rows_)));
    fit_each(block, importance, [&](const BlockFits& fits, int64_t row, int64_t rows, int64_t column) {
      for (int64_t lane = 0; lane < rows; ++lane) {
        take(fits, lane, parts(row + lane, column / codec_.elements));
      }
    });
  }

  void refit(const ConstBlock& block, Importance importance) override {
    assert(block.columns == codec_.sub_elements && block.first_column % codec_.sub_elements == 0);
    const auto j = static_cast<size_t>(block.first_column % codec_.elements / codec_.sub_elements);
    set_importance(importance);
    for (int64_t row = 0; row < block.rows; row += kGridLanes) {
      const int64_t rows = std::min(kGridLanes, block.rows - row);
      load_lanes(block, row, rows);
      refit_lanes(row, rows, block.first_column / codec_.elements, j);
    }
  }

  /// Nothing but the blocks at hand is stored.
  void fit_and_snap(const Block& block, Importance importance) override {
    std::array<BlockParts, kGridLanes> scratch;
    fit_each(as_const(block), importance, [&](const BlockFits& fits, int64_t row, int64_t rows, int64_t column) {
      for (int64_t lane = 0; lane < rows; ++lane) {
        take(fits, lane, scratch[static_cast<size_t>(lane)]);
      }
      snap_blocks(codec_, std::span(scratch).first(static_cast<size_t>(rows)),
                  block.row(row) + column - block.first_column, block.stride);
      for (int64_t lane = 0; lane < rows; ++lane) {
        pack(scratch[static_cast<size_t>(lane)], row + lane, column / codec_.elements);
      }
    });
  }

  void snap(const Block& block) override {
    const int64_t first = block.first_column;
    for (int64_t row = 0; row < block.rows; ++row) {
      for (int64_t begin = first; begin < first + block.columns;) {
        const int64_t sub_block = begin / codec_.sub_elements;
        const int64_t end = std::min(first + block.columns, (sub_block + 1) * codec_.sub_elements);
        snap_sub_block({block.row(row) + begin - first, static_cast<size_t>(end - begin)},
                       parts(row, begin / codec_.elements), begin % codec_.elements);
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

  /// Calls use(fits, row, rows, column) for the blocks that begin in `column` of up to 16 rows.
  template <typename Use>
  void fit_each(const ConstBlock& block, Importance importance, const Use& use) {
    assert(block.first_column % codec_.elements == 0 && block.columns % codec_.elements == 0);
    for (int64_t begin = 0; begin < block.columns; begin += codec_.elements) {
      set_importance(importance.empty()
                         ? importance
                         : importance.subspan(static_cast<size_t>(begin), static_cast<size_t>(codec_.elements)));
      for (int64_t row = 0; row < block.rows; row += kGridLanes) {
        const int64_t rows = std::min(kGridLanes, block.rows - row);
        const BlockFits fits = fit_lanes(block.slice(begin, codec_.elements), row, rows);
        use(fits, row, rows, block.first_column + begin);
      }
    }
  }

  /// Up to 16 rows side by side. Rows that are missing are zeros.
  void load_lanes(const ConstBlock& block, int64_t row, int64_t rows) {
    lanes_.resize(static_cast<size_t>(block.columns));
    if (rows < kGridLanes) {
      std::ranges::fill(lanes_, LaneColumn{});
    }
    transpose<uint32_t>({reinterpret_cast<const std::byte*>(block.row(row)), block.stride}, rows, block.columns,
                        {reinterpret_cast<std::byte*>(lanes_.data()), kGridLanes});
  }

  /// Sub-block `j` of a block of each of the rows that the lanes hold.
  void refit_lanes(int64_t row, int64_t rows, int64_t block, size_t j) {
    BlockFits fits;  // NOLINT(cppcoreguidelines-pro-type-member-init): what is read is filled
    fits.scale = fits.min = {};
    for (int64_t lane = 0; lane < rows; ++lane) {
      fits.scale[static_cast<size_t>(lane)] = parts(row + lane, block).scale;
      fits.min[static_cast<size_t>(lane)] = parts(row + lane, block).min;
    }
    refit_sub_blocks(codec_, j, lanes_, importance_, fits);
    for (int64_t lane = 0; lane < rows; ++lane) {
      parts(row + lane, block).scales[j] = static_cast<int16_t>(fits.scales[j][static_cast<size_t>(lane)]);
      parts(row + lane, block).mins[j] = static_cast<uint8_t>(fits.mins[j][static_cast<size_t>(lane)]);
    }
  }

  /// One block of each of up to 16 rows.
  BlockFits fit_lanes(const ConstBlock& block, int64_t row, int64_t rows) {
    load_lanes(block, row, rows);
    BlockFits fits = fit_blocks(codec_, lanes_, importance_);
    largest_ = std::max(largest_, fits.largest);
    return fits;
  }

  void take(const BlockFits& fits, int64_t lane, BlockParts& out) const {
    const auto i = static_cast<size_t>(lane);
    out.scale = fits.scale[i];
    out.min = fits.min[i];
    for (size_t j = 0; j < static_cast<size_t>(codec_.sub_blocks()); ++j) {
      out.scales[j] = static_cast<int16_t>(fits.scales[j][i]);
      out.mins[j] = static_cast<uint8_t>(fits.mins[j][i]);
    }
  }

  /// Numbers from column `inside` of a block on, of one sub-block.
  void snap_sub_block(std::span<float> numbers, BlockParts& target, int64_t inside) const {
    const auto j = static_cast<size_t>(inside / codec_.sub_elements);
    snap_to_levels(codec_, sub_block_grid(target, j), numbers, target.codes.data() + inside);
  }

  void pack(const BlockParts& parts, int64_t row, int64_t block) {
    codec_.pack(parts, bytes_ + (first_row_ + row) * row_bytes_ + block * block_bytes_);
  }

  /// Packs what was fitted and snapped: only in the end, since columns may be snapped one by one, and again.
  void store() {
    for (size_t i = 0; i < parts_.size(); ++i) {
      pack(parts_[i], static_cast<int64_t>(i) % rows_, static_cast<int64_t>(i) / rows_);
    }
  }

  BlockConstraint& owner_;
  const BlockCodec& codec_;
  int64_t first_row_, block_bytes_, row_bytes_;
  uint8_t* bytes_;
  int64_t rows_ = 0;
  std::vector<BlockParts> parts_;  // [blocks, rows] of what `fit` has seen so far
  std::vector<LaneColumn> lanes_;
  std::vector<float> importance_;
  float largest_ = 0;
};

BlockConstraint::BlockConstraint(const Encoding& weight, BlockType type)
    : codec_(*row(type).codec), encoding_{.shape = weight.shape, .form = BlockEncoding{.type = type, .blocks = {}}} {
  assert(codec_.pack != nullptr && weight.columns() % codec_.elements == 0);
}

FittingBlock BlockConstraint::fitting_block() const {
  return {.rows = 1, .columns = codec_.elements, .refit_columns = codec_.scales.high > 1 ? codec_.sub_elements : 0};
}

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
