#include "passes/constraints/codebook.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "formats/error.h"
#include "passes/constraints/codes.h"
#include "passes/constraints/half_range.h"
#include "passes/constraints/kmeans.h"

namespace terse::passes {
namespace {

constexpr size_t kExactNumbers = 4096;

Encoding plan_encoding(const Encoding& weight, const CodebookOptions& options) {
  const int64_t rows = std::max(int64_t{1}, weight.rows());
  const int64_t group_rows = options.group_rows == 0 ? rows : options.group_rows;
  if (rows % group_rows != 0) {
    throw Error(Kind::input, "its {} rows cannot be cut into groups of {}", rows, group_rows);
  }
  return {.shape = weight.shape,
          .form = CodebookEncoding{
              .centroids = options.centroids, .group_rows = group_rows, .centroid_dtype = options.centroid_dtype}};
}

/// The numbers but zero that a codebook is made for, and whether there are zeros.
struct Group {
  std::vector<WeightedPoint> points;
  bool has_zero = false;
};

Group collect(const ConstBlock& block, int64_t first_row, int64_t row_count, Importance importance) {
  Group group;
  group.points.reserve(static_cast<size_t>(row_count * block.columns));
  for (int64_t row = first_row; row < first_row + row_count; ++row) {
    for (int64_t column = 0; column < block.columns; ++column) {
      const float value = block.row(row)[column];
      // Columns that do not matter still need a centroid close by, but must not pull at it.
      const float weight = importance.empty() ? 1.0F : std::max(importance[static_cast<size_t>(column)], 1e-30F);
      if (value == 0) {
        group.has_zero = true;
      } else {
        group.points.push_back({static_cast<double>(value), static_cast<double>(weight)});
      }
    }
  }
  return group;
}

/// Numbers that share sign, exponent and 7 bits of their fraction as one point, their mean.
std::vector<WeightedPoint> merge_neighbours(std::span<const WeightedPoint> points) {
  std::vector<WeightedPoint> bins(size_t{1} << 16, {0, 0});
  for (const WeightedPoint& point : points) {
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(point.value)) >> 16;
    // Negative floats compare backwards: turned around they stand before the positive ones.
    WeightedPoint& bin = bins[(bits & 0x8000U) != 0 ? 0xffffU - bits : bits + 0x8000U];
    bin.value += point.value * point.weight;
    bin.weight += point.weight;
  }
  std::erase_if(bins, [](const WeightedPoint& bin) { return bin.weight == 0; });
  for (WeightedPoint& bin : bins) {
    bin.value /= bin.weight;
  }
  return bins;
}

/// Ascending.
std::vector<double> make_codebook(Group group, int64_t centroids) {
  if (group.points.empty()) {
    return std::vector<double>(static_cast<size_t>(centroids), 0.0);
  }
  if (group.points.size() > kExactNumbers) {
    group.points = merge_neighbours(group.points);
  } else {
    std::sort(group.points.begin(), group.points.end(),
              [](const WeightedPoint& a, const WeightedPoint& b) { return a.value < b.value; });
  }
  std::vector<double> means = cluster_means(group.points, centroids - (group.has_zero ? 1 : 0));
  if (group.has_zero) {
    means.insert(std::lower_bound(means.begin(), means.end(), 0.0), 0.0);
  }
  return means;
}

/// The largest float that is not above the middle of two: what is greater is nearer to the upper one.
float middle(float low, float high) {
  const double exact = (static_cast<double>(low) + static_cast<double>(high)) / 2;
  const auto rounded = static_cast<float>(exact);
  return static_cast<double>(rounded) > exact ? std::nextafter(rounded, -INFINITY) : rounded;
}

}  // namespace

class CodebookConstraint::Fit : public PanelFit {
 public:
  Fit(CodebookConstraint& owner, int64_t first_row)
      : owner_(owner),
        parts_(owner.parts()),
        first_row_(first_row),
        row_bytes_(packed_row_bytes(owner.encoding_.columns(), parts_.index_bits())) {}

  void fit(const ConstBlock& block, Importance importance) override {
    for (int64_t row = 0; row < block.rows; row += parts_.group_rows) {
      store(first_row_ + row, make_codebook(collect(block, row, parts_.group_rows, importance), parts_.centroids));
    }
  }

  void snap(const Block& block) override {
    codes_.resize(static_cast<size_t>(block.columns));
    for (int64_t row = 0; row < block.rows; ++row) {
      if (row == 0 || (first_row_ + row) % parts_.group_rows == 0) {
        load(first_row_ + row);
      }
      snap_row({block.row(row), codes_.size()});
      const auto packed = parts_.codes.mutable_values<uint8_t>().subspan(
          static_cast<size_t>((first_row_ + row) * row_bytes_), static_cast<size_t>(row_bytes_));
      store_codes(packed, block.first_column, parts_.index_bits(), codes_);
    }
  }

 private:
  size_t table(int64_t row) const { return static_cast<size_t>(row / parts_.group_rows * parts_.centroids); }

  void store(int64_t row, const std::vector<double>& codebook) {
    for (size_t i = 0; i < codebook.size(); ++i) {
      const auto centroid = static_cast<float>(codebook[i]);
      raise_to(owner_.largest_, std::fabs(centroid));
      if (parts_.centroid_dtype == DType::f16) {
        parts_.codebooks.mutable_values<Half>()[table(row) + i] =
            to_half(std::clamp(centroid, -kLargestHalf, kLargestHalf));
      } else {
        parts_.codebooks.mutable_values<float>()[table(row) + i] = centroid;
      }
    }
  }

  void load(int64_t row) {
    centroids_.resize(static_cast<size_t>(parts_.centroids));
    for (size_t i = 0; i < centroids_.size(); ++i) {
      centroids_[i] = parts_.centroid_dtype == DType::f16 ? to_float(parts_.codebooks.values<Half>()[table(row) + i])
                                                          : parts_.codebooks.values<float>()[table(row) + i];
    }
    bounds_.resize(centroids_.size() - 1);
    for (size_t i = 0; i < bounds_.size(); ++i) {
      bounds_[i] = middle(centroids_[i], centroids_[i + 1]);
    }
  }

  /// The nearest centroid; of two that are as near the lower one.
  void snap_row(std::span<float> numbers) {
    if (bounds_.size() < kFewBounds) {
      count_bounds(numbers);
    } else {
      for (size_t i = 0; i < numbers.size(); ++i) {
        codes_[i] =
            static_cast<uint8_t>(std::lower_bound(bounds_.begin(), bounds_.end(), numbers[i]) - bounds_.begin());
      }
    }
    for (size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = centroids_[codes_[i]];
    }
  }

  /// How many bounds lie below each number: without branches, faster than a search if they are few.
  void count_bounds(std::span<const float> numbers) {
    counts_.assign(numbers.size(), 0);
    for (const float bound : bounds_) {
      for (size_t i = 0; i < numbers.size(); ++i) {
        counts_[i] += numbers[i] > bound ? 1 : 0;
      }
    }
    std::transform(counts_.begin(), counts_.end(), codes_.begin(), [](int n) { return static_cast<uint8_t>(n); });
  }

  static constexpr size_t kFewBounds = 32;
  CodebookConstraint& owner_;
  CodebookEncoding& parts_;
  int64_t first_row_, row_bytes_;
  std::vector<float> centroids_, bounds_;
  std::vector<int> counts_;
  std::vector<uint8_t> codes_;
};

CodebookConstraint::CodebookConstraint(const Encoding& weight, const CodebookOptions& options)
    : options_(options), encoding_(plan_encoding(weight, options)) {}

FittingBlock CodebookConstraint::fitting_block() const {
  return {.rows = encoding_.codebook()->group_rows, .columns = encoding_.columns()};
}

std::unique_ptr<PanelFit> CodebookConstraint::begin(int64_t first_row, int64_t /*row_count*/) {
  return std::make_unique<Fit>(*this, first_row);
}

void CodebookConstraint::allocate() {
  CodebookEncoding& c = parts();
  const int64_t rows = encoding_.rows();
  c.codes = Tensor::make(DType::u8, {rows, packed_row_bytes(encoding_.columns(), c.index_bits())});
  c.codebooks = Tensor::make(c.centroid_dtype, {rows / c.group_rows, c.centroids});
}

std::unique_ptr<EncodedConstraint> CodebookConstraint::widened() const {
  const float largest = largest_.load();
  if (fits_half(largest) || options_.centroid_dtype == DType::f32) {
    return nullptr;
  }
  if (options_.overflow == CodebookOptions::Overflow::refuse) {
    throw Error(Kind::input, "its largest centroid is {:.3g}, f16 holds 6.1e-05 to 65504: use table=f32", largest);
  }
  CodebookOptions wide = options_;
  wide.centroid_dtype = DType::f32;
  return std::make_unique<CodebookConstraint>(Encoding{.shape = encoding_.shape, .form = {}}, wide);
}

}  // namespace terse::passes
