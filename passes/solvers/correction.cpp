#include "passes/solvers/correction.h"

#include <algorithm>
#include <cmath>

#include "calibration/gemm.h"
#include "calibration/parallel.h"

namespace terse::passes {
namespace {

using calibration::Product;

// Of what lowers the error of held-out samples most.
constexpr double kPart = 0.75;
constexpr int64_t kTile = 256;  // rows of a result that one thread computes

/// c = op(a) b for square matrices, in parallel.
std::vector<float> multiply(std::span<const float> a, std::span<const float> b, int64_t size, Product form) {
  std::vector<float> c(a.size());
  calibration::parallel_ranges(size, kTile, [&](int64_t begin, int64_t end) {
    form.m = end - begin;
    form.n = form.k = form.lda = form.ldb = form.ldc = size;
    form.a = a.data() + (form.transpose_a ? begin : begin * size);
    form.b = b.data();
    form.c = c.data() + begin * size;
    calibration::multiply(form);
  });
  return c;
}

/// D^T U^T U.
std::vector<float> explain(const calibration::Drift& drift, const ObsFactor& factor) {
  const int64_t size = factor.columns();
  const std::span upper(factor.row(0), drift.matrix().size());
  return multiply(multiply(drift.matrix(), upper, size, {.transpose_a = true, .transpose_b = true}), upper, size, {});
}

/// The s of the least sum of |x0 - x - s M x|^2 over held-out rows: <M^T, D> / <M H, M>.
double best_strength(std::span<const float> matrix, const calibration::Statistics& statistics) {
  const int64_t size = statistics.held_out.columns();
  const std::span<const float> drift = statistics.held_out_drift.matrix();
  const std::vector<float> product = multiply(matrix, statistics.held_out.matrix(), size, {});
  double explained = 0, squares = 0;
  for (int64_t row = 0; row < size; ++row) {
    for (int64_t column = 0; column < size; ++column) {
      const auto at = static_cast<size_t>(row * size + column);
      explained +=
          static_cast<double>(matrix[at]) * static_cast<double>(drift[static_cast<size_t>(column * size + row)]);
      squares += static_cast<double>(product[at]) * static_cast<double>(matrix[at]);
    }
  }
  const bool is_known = squares > 0 && std::isfinite(explained / squares);
  return is_known ? std::clamp(explained / squares, 0.0, 1.0) : 0;
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
