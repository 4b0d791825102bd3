#include "passes/solvers/correction.h"

#include <algorithm>
#include <cmath>

#include "calibration/gemm.h"
#include "calibration/parallel.h"

namespace terse::passes {
namespace {

// Of what lowers the error of held-out samples most.
constexpr double kPart = 0.75;
constexpr int64_t kTile = 256;  // rows of a result that one thread computes

/// D^T U^T U, tile by tile: what is in between is held for the rows of a tile alone.
std::vector<float> explain(const calibration::Drift& drift, const ObsFactor& factor) {
  const int64_t size = factor.columns();
  std::vector<float> explained(drift.matrix().size());
  calibration::parallel_ranges(size, kTile, [&](int64_t begin, int64_t end) {
    std::vector<float> moved(static_cast<size_t>((end - begin) * size));
    calibration::multiply({.m = end - begin,
                           .n = size,
                           .k = size,
                           .a = drift.matrix().data() + begin,
                           .lda = size,
                           .transpose_a = true,
                           .b = factor.row(0),
                           .ldb = size,
                           .transpose_b = true,
                           .c = moved.data(),
                           .ldc = size});
    calibration::multiply({.m = end - begin,
                           .n = size,
                           .k = size,
                           .a = moved.data(),
                           .lda = size,
                           .b = factor.row(0),
                           .ldb = size,
                           .c = explained.data() + begin * size,
                           .ldc = size});
  });
  return explained;
}

/// <M^T, D> and <M H, M>.
struct Explained {
  double drift = 0, squares = 0;
};

/// What rows [begin, end) of M add to them.
Explained explained_by(std::span<const float> matrix, const calibration::Statistics& statistics, int64_t begin,
                       int64_t end) {
  const int64_t size = statistics.held_out.columns();
  const float* rows = matrix.data() + begin * size;
  std::vector<float> product(static_cast<size_t>((end - begin) * size));
  calibration::multiply({.m = end - begin,
                         .n = size,
                         .k = size,
                         .a = rows,
                         .lda = size,
                         .b = statistics.held_out.matrix().data(),
                         .ldb = size,
                         .c = product.data(),
                         .ldc = size});
  const float* drift = statistics.held_out_drift.matrix().data();
  Explained sums;
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t column = 0; column < size; ++column) {
      const int64_t at = (row - begin) * size + column;
      sums.drift += static_cast<double>(rows[at]) * static_cast<double>(drift[column * size + row]);
      sums.squares += static_cast<double>(product[static_cast<size_t>(at)]) * static_cast<double>(rows[at]);
    }
  }
  return sums;
}

/// The s of the least sum of |x0 - x - s M x|^2 over held-out rows: <M^T, D> / <M H, M>.
double best_strength(std::span<const float> matrix, const calibration::Statistics& statistics) {
  const int64_t size = statistics.held_out.columns();
  std::vector<Explained> tiles(static_cast<size_t>((size + kTile - 1) / kTile));
  calibration::parallel_ranges(size, kTile, [&](int64_t begin, int64_t end) {
    tiles[static_cast<size_t>(begin / kTile)] = explained_by(matrix, statistics, begin, end);
  });
  Explained all;
  for (const Explained& tile : tiles) {
    all.drift += tile.drift;
    all.squares += tile.squares;
  }
  const double strength = all.drift / all.squares;
  return all.squares > 0 && std::isfinite(strength) ? std::clamp(strength, 0.0, 1.0) : 0;
}

}  // namespace

Correction::Correction(const calibration::Statistics& statistics, const ObsFactor& factor)
    : columns_(factor.columns()),
      matrix_(explain(statistics.solving_drift, factor)),
      strength_(kPart * best_strength(matrix_, statistics)) {
  std::ranges::transform(matrix_, matrix_.begin(),
                         [&](float x) { return strength_ > 0 ? static_cast<float>(strength_) * x : 0; });
  for (int64_t i = 0; i < columns_; ++i) {
    matrix_[static_cast<size_t>(i * columns_ + i)] += 1;
  }
}

Encoding Correction::apply(const Encoding& weight) const {
  const Tensor before = calibration::decode_parallel(weight);
  Tensor after = Tensor::uninitialized(DType::f32, weight.shape);
  const float* from = before.values<float>().data();
  float* to = after.mutable_values<float>().data();
  calibration::parallel_ranges(weight.rows(), kTile, [&](int64_t begin, int64_t end) {
    calibration::multiply({.m = end - begin,
                           .n = columns_,
                           .k = columns_,
                           .a = from + begin * columns_,
                           .lda = columns_,
                           .b = matrix_.data(),
                           .ldb = columns_,
                           .c = to + begin * columns_,
                           .ldc = columns_});
  });
  return {.shape = weight.shape, .form = DenseEncoding{.dtype = DType::f32, .values = std::move(after)}};
}

}  // namespace terse::passes
