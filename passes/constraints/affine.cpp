#include "passes/constraints/affine.h"

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "formats/transpose.h"
#include "passes/constraints/codes.h"
#include "passes/constraints/half_range.h"
#include "passes/constraints/tensor_grid.h"

namespace terse::passes {
namespace {

Importance slice(Importance importance, int64_t begin, int64_t count) {
  return importance.subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
}

Encoding plan_encoding(const Encoding& weight, const AffineOptions& options) {
  const int64_t columns = std::max(int64_t{1}, weight.columns());
  const bool is_block = options.scope == AffineOptions::Scope::block;
  return {.shape = weight.shape,
          .form = AffineEncoding{
              .bits = options.bits,
              .group_rows = options.scope == AffineOptions::Scope::tensor ? std::max(int64_t{1}, weight.rows()) : 1,
              .group_columns = is_block ? options.block_columns : columns,
              .scale_dtype = options.scale_dtype,
              .asymmetric = options.asymmetric}};
}

}  // namespace

class AffineConstraint::Fit : public PanelFit {
 public:
  Fit(AffineConstraint& owner, int64_t first_row, int64_t row_count)
      : owner_(owner),
        parts_(owner.parts()),
        spec_{.bits = parts_.bits, .asymmetric = parts_.asymmetric, .scale_dtype = parts_.scale_dtype},
        first_row_(first_row),
        columns_(owner.encoding_.columns()),
        groups_((columns_ + parts_.group_columns - 1) / parts_.group_columns),
        row_bytes_(packed_row_bytes(columns_, parts_.bits)) {
    std::ranges::fill(packed_rows(first_row, row_count), uint8_t{0});
  }

  ~Fit() override { raise_to(owner_.largest_scale_, largest_scale_); }
  Fit(const Fit&) = delete;
  Fit& operator=(const Fit&) = delete;

  void fit(const ConstBlock& block, Importance importance) override {
    if (owner_.options_.scope == AffineOptions::Scope::tensor) {
      const TensorGrid grid = fit_tensor_grid(spec_, block, importance);
      store(0, grid.scale, grid.zero, grid.peak_scale);
      return;
    }
    for (int64_t row = 0; row < block.rows; row += kGridLanes) {
      for (int64_t begin = 0; begin < block.columns; begin += parts_.group_columns) {
        const int64_t width = std::min(parts_.group_columns, block.columns - begin);
        fit_blocks(block.slice(begin, width), row, importance.empty() ? importance : slice(importance, begin, width));
      }
    }
  }

  void snap(const Block& block) override {
    codes_.resize(static_cast<size_t>(block.columns));
    for (int64_t row = 0; row < block.rows; ++row) {
      for (int64_t begin = 0; begin < block.columns;) {
        const int64_t group = (block.first_column + begin) / parts_.group_columns;
        const int64_t end = std::min(block.columns, (group + 1) * parts_.group_columns - block.first_column);
        const std::span<float> numbers(block.row(row) + begin, static_cast<size_t>(end - begin));
        snap_to_grid(numbers, load(index(first_row_ + row, group)), codes_.data() + begin);
        begin = end;
      }
      store_codes(packed_rows(first_row_ + row, 1), block.first_column, parts_.bits, codes_);
    }
  }

 private:
  int64_t index(int64_t row, int64_t group) const { return row / parts_.group_rows * groups_ + group; }

  std::span<uint8_t> packed_rows(int64_t first, int64_t count) {
    return parts_.codes.mutable_values<uint8_t>().subspan(static_cast<size_t>(first * row_bytes_),
                                                          static_cast<size_t>(count * row_bytes_));
  }

  /// One block of each of up to 16 rows. Rows that are missing are zeros.
  void fit_blocks(const ConstBlock& block, int64_t row, Importance importance) {
    const int64_t rows = std::min(kGridLanes, block.rows - row);
    lanes_.resize(static_cast<size_t>(block.columns));
    if (rows < kGridLanes) {
      std::ranges::fill(lanes_, LaneColumn{});
    }
    transpose<uint32_t>({reinterpret_cast<const std::byte*>(block.row(row)), block.stride}, rows, block.columns,
                        {reinterpret_cast<std::byte*>(lanes_.data()), kGridLanes});
    const GridFits fits = fit_grids(spec_, lanes_, importance);
    const int64_t group = block.first_column / parts_.group_columns;
    for (int64_t lane = 0; lane < rows; ++lane) {
      const auto i = static_cast<size_t>(lane);
      store(index(first_row_ + row + lane, group), fits.scale[i], static_cast<int>(fits.zero[i]), fits.peak_scale[i]);
    }
  }

  void store(int64_t index, float scale, int zero, float peak_scale) {
    const auto i = static_cast<size_t>(index);
    if (parts_.scale_dtype == DType::f16) {
      parts_.scales.mutable_values<Half>()[i] = to_half(scale);
    } else if (parts_.scale_dtype == DType::bf16) {
      parts_.scales.mutable_values<BFloat16>()[i] = to_bfloat16(scale);
    } else {
      parts_.scales.mutable_values<float>()[i] = scale;
    }
    if (parts_.asymmetric) {
      parts_.zero_points.mutable_values<uint8_t>()[i] = static_cast<uint8_t>(zero);
    }
    largest_scale_ = std::max(largest_scale_, std::fabs(peak_scale));
  }

  float scale_at(size_t i) const {
    switch (parts_.scale_dtype) {
      case DType::f16:
        return to_float(parts_.scales.values<Half>()[i]);
      case DType::bf16:
        return to_float(parts_.scales.values<BFloat16>()[i]);
      default:
        return parts_.scales.values<float>()[i];
    }
  }

  Grid load(int64_t index) const {
    const auto i = static_cast<size_t>(index);
    return {.scale = scale_at(i),
            .zero = parts_.asymmetric ? parts_.zero_points.values<uint8_t>()[i] : 1 << (parts_.bits - 1),
            .bits = parts_.bits};
  }

  AffineConstraint& owner_;
  AffineEncoding& parts_;
  GridSpec spec_;
  int64_t first_row_, columns_, groups_, row_bytes_;
  float largest_scale_ = 0;
  std::vector<LaneColumn> lanes_;
  std::vector<uint8_t> codes_;
};

AffineConstraint::AffineConstraint(const Encoding& weight, const AffineOptions& options)
    : options_(options), encoding_(plan_encoding(weight, options)) {}

FittingBlock AffineConstraint::fitting_block() const {
  const AffineEncoding& parts = *encoding_.affine();
  return {.rows = parts.group_rows, .columns = std::min(parts.group_columns, encoding_.columns())};
}

std::unique_ptr<PanelFit> AffineConstraint::begin(int64_t first_row, int64_t row_count) {
  return std::make_unique<Fit>(*this, first_row, row_count);
}

void AffineConstraint::allocate() {
  AffineEncoding& a = parts();
  const int64_t rows = encoding_.rows();
  const int64_t groups = (encoding_.columns() + a.group_columns - 1) / a.group_columns;
  const Shape grid = {(rows + a.group_rows - 1) / a.group_rows, groups};
  // Not touched here: panels do it, in parallel.
  a.codes = Tensor::uninitialized(DType::u8, {rows, packed_row_bytes(encoding_.columns(), a.bits)});
  a.scales = Tensor::uninitialized(a.scale_dtype, grid);
  if (a.asymmetric) {
    a.zero_points = Tensor::uninitialized(DType::u8, grid);
  }
}

Encoding AffineConstraint::finish() { return std::move(encoding_); }

std::unique_ptr<EncodedConstraint> AffineConstraint::widened() const {
  const float largest = largest_scale_.load();
  if (fits_half(largest) || options_.scale_dtype != DType::f16) {
    return nullptr;
  }
  if (options_.overflow == AffineOptions::Overflow::refuse) {
    throw Error(Kind::input, "its largest scale is {:.3g}, f16 holds 6.1e-05 to 65504: use scale=f32", largest);
  }
  AffineOptions wide = options_;
  wide.scale_dtype = DType::f32;
  return std::make_unique<AffineConstraint>(Encoding{.shape = encoding_.shape, .form = {}}, wide);
}

}  // namespace terse::passes
