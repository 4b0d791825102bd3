#include "passes/constraints/tensor_grid.h"

#include <algorithm>
#include <cmath>

#include "calibration/parallel.h"

namespace terse::passes {
namespace {

constexpr int64_t kRowsAtOnce = 64;

/// Sums over all numbers of a block: parts of rows in parallel, added in their order.
template <typename Sums, typename RowBody>
Sums sum_rows(const ConstBlock& block, const RowBody& body) {
  std::vector<Sums> parts(static_cast<size_t>((block.rows + kRowsAtOnce - 1) / kRowsAtOnce));
  calibration::parallel_ranges(block.rows, kRowsAtOnce, [&](int64_t begin, int64_t end) {
    Sums& part = parts[static_cast<size_t>(begin / kRowsAtOnce)];
    for (int64_t row = begin; row < end; ++row) {
      body(block.row(row), part);
    }
  });
  Sums total;
  for (const Sums& part : parts) {
    total.add(part);
  }
  return total;
}

struct Range {
  float low = 0, high = 0;
  void add(const Range& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
  }
};

struct Fitness {
  double error = 0, wq = 0, qq = 0;
  void add(const Fitness& other) {
    error += other.error;
    wq += other.wq;
    qq += other.qq;
  }
};

float stored(const GridSpec& spec, double scale) {
  if (spec.scale_dtype == DType::f32) {
    return static_cast<float>(scale);
  }
  if (spec.scale_dtype == DType::bf16) {
    return to_float(to_bfloat16(static_cast<float>(scale)));
  }
  return to_float(to_half(static_cast<float>(std::clamp(scale, -65504.0, 65504.0))));
}

/// The error of rounding to a grid, and the products that give the scale which fits those codes best.
Fitness round(const GridSpec& spec, const ConstBlock& block, Importance importance, float scale, float zero) {
  const float inverse = scale == 0 ? 0 : 1 / scale;
  const float top = static_cast<float>((1 << spec.bits) - 1) - zero;
  return sum_rows<Fitness>(block, [&](const float* row, Fitness& sums) {
    for (int64_t c = 0; c < block.columns; ++c) {
      const double weight = importance.empty() ? 1.0 : static_cast<double>(importance[static_cast<size_t>(c)]);
      const float limited = std::clamp(row[c] * inverse, -zero, top);
      const float q = limited + 0x1.8p23F - 0x1.8p23F;  // to the nearest, halves to even
      const float difference = row[c] - q * scale;
      sums.error += weight * static_cast<double>(difference) * static_cast<double>(difference);
      sums.wq += weight * static_cast<double>(row[c]) * static_cast<double>(q);
      sums.qq += weight * static_cast<double>(q) * static_cast<double>(q);
    }
  });
}

Range find_range(const ConstBlock& block) {
  return sum_rows<Range>(block, [&](const float* row, Range& range) {
    for (int64_t c = 0; c < block.columns; ++c) {
      range.low = std::min(range.low, row[c]);
      range.high = std::max(range.high, row[c]);
    }
  });
}

}  // namespace

TensorGrid fit_tensor_grid(const GridSpec& spec, const ConstBlock& block, Importance importance) {
  const Range range = find_range(block);
  const float signed_peak = range.high >= -range.low ? range.high : range.low;
  const float peak = spec.asymmetric ? range.high - range.low : signed_peak;
  const auto top = static_cast<float>((1 << spec.bits) - 1);
  const auto candidates = grid_candidates(spec);
  TensorGrid best{.peak_scale = peak / candidates[0].step};
  double best_error = INFINITY;
  for (const GridCandidate& candidate : candidates) {
    float zero = static_cast<float>(1 << (spec.bits - 1));
    if (spec.asymmetric && peak != 0) {
      zero = std::clamp(std::nearbyint(-range.low * top / peak) + candidate.shift, 0.0F, top);
    }
    float scale = stored(spec, peak / candidate.step);
    constexpr int kRefits = 2;
    for (int refit = 0; refit <= kRefits; ++refit) {
      const Fitness fitness = round(spec, block, importance, scale, zero);
      if (fitness.error < best_error) {
        best_error = fitness.error;
        best.scale = scale;
        best.zero = static_cast<int>(zero);
      }
      scale = stored(spec, fitness.qq > 0 ? fitness.wq / fitness.qq : 0);
    }
  }
  return best;
}

}  // namespace terse::passes
