#include "passes/constraints/sparsity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>
#include <numeric>

#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::passes {
namespace {

float importance_at(Importance importance, int64_t column) {
  return importance.empty() ? 1.0F : importance[static_cast<size_t>(column)];
}

/// A column stays if fewer than `keep` others come before it: larger ones, and equal ones to its left.
inline void keep_largest(const float* costs, int64_t size, int keep, uint8_t* kept) {
  for (int64_t i = 0; i < size; ++i) {
    int before = 0;
    for (int64_t j = 0; j < i; ++j) {
      before += costs[j] >= costs[i] ? 1 : 0;
    }
    for (int64_t j = i + 1; j < size; ++j) {
      before += costs[j] > costs[i] ? 1 : 0;
    }
    kept[i] = before < keep ? 1 : 0;
  }
}

/// Which numbers of a panel stay, as far as their columns are fitted.
class KeptColumns {
 public:
  /// Room for the columns of `block`.
  void extend(const ConstBlock& block) {
    rows_ = block.rows;
    kept_.resize(std::max(kept_.size(), static_cast<size_t>((block.first_column + block.columns) * rows_)));
  }

  uint8_t& at(int64_t row, int64_t column) { return kept_[static_cast<size_t>(column * rows_ + row)]; }

  void apply(const Block& block) {
    for (int64_t row = 0; row < block.rows; ++row) {
      float* values = block.row(row);
      for (int64_t column = 0; column < block.columns; ++column) {
        values[column] = at(row, block.first_column + column) != 0 ? values[column] : 0.0F;
      }
    }
  }

 private:
  int64_t rows_ = 0;
  std::vector<uint8_t> kept_;
};

/// `size` costs of neighbouring columns of one row.
void find_costs(const float* values, int64_t offset, int64_t size, Importance importance, float* costs) {
  for (int64_t i = 0; i < size; ++i) {
    costs[i] = importance_at(importance, offset + i) * values[i] * values[i];
  }
}

class PatternFit : public PanelFit {
 public:
  PatternFit(int64_t keep, int64_t group) : keep_(keep), group_(group) {}

  void fit(const ConstBlock& block, Importance importance) override {
    kept_.extend(block);
    for (int64_t row = 0; row < block.rows; ++row) {
      for (int64_t begin = 0; begin < block.columns; begin += group_) {
        fit_group(block, row, begin, importance);
      }
    }
  }

  void snap(const Block& block) override { kept_.apply(block); }

 private:
  void fit_group(const ConstBlock& block, int64_t row, int64_t begin, Importance importance) {
    const int64_t size = std::min(group_, block.columns - begin);
    const auto keep = static_cast<int>(size - size * (group_ - keep_) / group_);
    float costs[kLargestGroup];
    uint8_t kept[kLargestGroup];
    find_costs(block.row(row) + begin, begin, size, importance, costs);
    // The common size as a constant, for compilers to unroll the loops.
    size == 4 ? keep_largest(costs, 4, keep, kept) : keep_largest(costs, size, keep, kept);
    for (int64_t i = 0; i < size; ++i) {
      kept_.at(row, block.first_column + begin + i) = kept[i];
    }
  }

  static constexpr int64_t kLargestGroup = 32;
  int64_t keep_, group_;
  KeptColumns kept_;
};

class RatioFit : public PanelFit {
 public:
  RatioFit(double ratio, int64_t width) : ratio_(ratio), width_(width) {}

  void fit(const ConstBlock& block, Importance importance) override {
    kept_.extend(block);
    for (int64_t begin = 0; begin < block.columns; begin += width_) {
      const int64_t size = std::min(width_, block.columns - begin), first = block.first_column + begin;
      const int64_t pruned = pruned_up_to(first + size) - pruned_up_to(first);
      for (int64_t row = 0; row < block.rows; ++row) {
        fit_part(block, row, begin, size, pruned, importance);
      }
    }
  }

  void snap(const Block& block) override { kept_.apply(block); }

 private:
  int64_t pruned_up_to(int64_t column) const { return std::llround(ratio_ * static_cast<double>(column)); }

  void fit_part(const ConstBlock& block, int64_t row, int64_t begin, int64_t size, int64_t pruned,
                Importance importance) {
    costs_.resize(static_cast<size_t>(size));
    order_.resize(static_cast<size_t>(size));
    find_costs(block.row(row) + begin, begin, size, importance, costs_.data());
    std::iota(order_.begin(), order_.end(), 0);
    // Of equal costs the last ones go, as in PatternMask.
    std::ranges::sort(order_, [&](int64_t a, int64_t b) {
      const float left = costs_[static_cast<size_t>(a)], right = costs_[static_cast<size_t>(b)];
      return left < right || (left == right && a > b);
    });
    for (int64_t i = 0; i < size; ++i) {
      kept_.at(row, block.first_column + begin + order_[static_cast<size_t>(i)]) = i < pruned ? 0 : 1;
    }
  }

  double ratio_;
  int64_t width_;
  KeptColumns kept_;
  std::vector<float> costs_;
  std::vector<int64_t> order_;
};

class ThresholdFit : public PanelFit {
 public:
  explicit ThresholdFit(float largest_pruned) : largest_pruned_(largest_pruned) {}

  void fit(const ConstBlock& /*block*/, Importance /*importance*/) override {}

  void snap(const Block& block) override {
    for (int64_t row = 0; row < block.rows; ++row) {
      float* values = block.row(row);
      for (int64_t column = 0; column < block.columns; ++column) {
        values[column] = std::fabs(values[column]) > largest_pruned_ ? values[column] : 0.0F;
      }
    }
  }

 private:
  float largest_pruned_;
};

/// The same by the magnitudes of a weight as it was.
class OriginalThresholdFit : public PanelFit {
 public:
  OriginalThresholdFit(float largest_pruned, const Encoding& original, int64_t first_row, int64_t row_count) {
    const int64_t columns = original.columns();
    std::vector<float> values(static_cast<size_t>(row_count * columns));
    decode_rows(original, first_row, row_count, values);
    kept_.extend({.values = values.data(), .rows = row_count, .columns = columns, .stride = columns});
    for (int64_t row = 0; row < row_count; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        kept_.at(row, column) = std::fabs(values[static_cast<size_t>(row * columns + column)]) > largest_pruned ? 1 : 0;
      }
    }
  }

  void fit(const ConstBlock& /*block*/, Importance /*importance*/) override {}
  void snap(const Block& block) override { kept_.apply(block); }

 private:
  KeptColumns kept_;
};

// Magnitudes in the order of their bits: floats without a sign compare like integers.
constexpr uint32_t kInfinityBits = 0x7f800000U;
constexpr int64_t kNumbersAtOnce = int64_t{1} << 20;  // many more than there are bins to add up

using Counts = std::vector<int64_t>;

/// Counts `bin(bits)` over all numbers of all weights; bins from Counts' size on are left out.
template <typename Bin>
Counts count(std::span<const EncodingPtr> weights, size_t bins, Bin&& bin) {
  Counts total(bins);
  std::mutex mutex;
  for (const EncodingPtr& weight : weights) {
    const int64_t grain = std::max(int64_t{1}, kNumbersAtOnce / std::max(int64_t{1}, weight->columns()));
    calibration::parallel_ranges(weight->rows(), grain, [&](int64_t begin, int64_t end) {
      std::vector<float> values(static_cast<size_t>((end - begin) * weight->columns()));
      decode_rows(*weight, begin, end - begin, values);
      Counts counts(bins);
      for (const float value : values) {
        const size_t index = bin(std::bit_cast<uint32_t>(std::fabs(value)));
        if (index < bins) {
          ++counts[index];
        }
      }
      const std::lock_guard lock(mutex);
      std::transform(total.begin(), total.end(), counts.begin(), total.begin(), std::plus<>());
    });
    release_pages(*weight);
  }
  return total;
}

/// The first bin at whose end at least `wanted` numbers were counted, and the numbers before it.
struct Place {
  size_t bin = 0;
  int64_t before = 0;
};

Place find_place(const Counts& counts, int64_t wanted) {
  Place place;
  while (place.bin + 1 < counts.size() && place.before + counts[place.bin] < wanted) {
    place.before += counts[place.bin++];
  }
  return place;
}

}  // namespace

std::unique_ptr<PanelFit> PatternMask::begin(int64_t /*first_row*/, int64_t /*row_count*/) {
  return std::make_unique<PatternFit>(keep_, group_);
}

std::unique_ptr<PanelFit> RatioMask::begin(int64_t /*first_row*/, int64_t /*row_count*/) {
  return std::make_unique<RatioFit>(ratio_, fitting_block().columns);
}

std::unique_ptr<PanelFit> ThresholdMask::begin(int64_t first_row, int64_t row_count) {
  if (original_ == nullptr) {
    return std::make_unique<ThresholdFit>(largest_pruned_);
  }
  return std::make_unique<OriginalThresholdFit>(largest_pruned_, *original_, first_row, row_count);
}

float magnitude_threshold(std::span<const EncodingPtr> weights, double ratio) {
  constexpr size_t kHighBins = 1U << 15, kLowBins = 1U << 16;
  const Counts high = count(weights, kHighBins, [](uint32_t bits) { return bits >> 16; });
  if (std::any_of(high.begin() + (kInfinityBits >> 16), high.end(), [](int64_t n) { return n != 0; })) {
    throw Error(Kind::input, "holds a number that is not finite");
  }
  const auto total = std::accumulate(high.begin(), high.end(), int64_t{0});
  const auto wanted = static_cast<int64_t>(std::llround(ratio * static_cast<double>(total)));
  const Place coarse = find_place(high, wanted);
  const Counts low = count(weights, kLowBins,
                           [&](uint32_t bits) { return bits >> 16 == coarse.bin ? size_t{bits & 0xffffU} : kLowBins; });
  const Place fine = find_place(low, wanted - coarse.before);
  const auto bits = static_cast<uint32_t>(coarse.bin << 16 | fine.bin);
  const int64_t missing = wanted - coarse.before - fine.before;  // of the numbers of this very magnitude
  if (missing * 2 >= low[fine.bin]) {
    return std::bit_cast<float>(bits);
  }
  return bits == 0 ? -1.0F : std::bit_cast<float>(bits - 1);
}

}  // namespace terse::passes
