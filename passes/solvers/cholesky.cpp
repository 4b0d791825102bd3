#include "passes/solvers/cholesky.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <functional>
#include <utility>

#include "calibration/gemm.h"
#include "calibration/parallel.h"

namespace terse::passes {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;

constexpr int64_t kBlock = 128;  // columns factored one by one; what lies outside of such blocks is products

/// Factors A from the left block column to the right, and then inverts L from the upper block row to the lower, all in
/// the same place: of a diagonal block of L only the inverse is wanted, and of a block row nothing once it is inverted.
class Cholesky {
 public:
  Cholesky(std::vector<float> matrix, int64_t size) : size_(size), matrix_(std::move(matrix)) {}

  bool run() {
    for (int64_t first = 0; first < size_; first += kBlock) {
      if (!factor_diagonal(first)) {
        return false;
      }
      const std::vector<float> panel = solve_panel(first);
      update(first + kBlock, panel);
    }
    for (int64_t first = kBlock; first < size_; first += kBlock) {
      invert_row(first);
    }
    for (int64_t row = 0; row < size_; ++row) {
      std::fill(at(row, row) + 1, at(row, 0) + size_, 0.0F);
    }
    return true;
  }

  std::vector<float> take_inverse() { return std::move(matrix_); }

 private:
  int64_t width(int64_t first) const { return std::min(kBlock, size_ - first); }
  float* at(int64_t row, int64_t column) { return matrix_.data() + row * size_ + column; }
  View view(float* block, int64_t width) const { return {block, width, width, Eigen::OuterStride<>(size_)}; }

  /// Puts the inverse of its factor in the place of a diagonal block.
  bool factor_diagonal(int64_t first) {
    const int64_t count = width(first);
    const Eigen::LLT<Matrix> factorization(view(at(first, first), count));
    if (factorization.info() != Eigen::Success) {
      return false;
    }
    Matrix inverted = Matrix::Identity(count, count);
    factorization.matrixL().solveInPlace(inverted);
    view(at(first, first), count) = inverted.triangularView<Eigen::Lower>();
    return true;
  }

  /// The block column of L below the diagonal block, which it also gives with its sign changed.
  std::vector<float> solve_panel(int64_t first) {
    const int64_t below = first + kBlock, rows = std::max<int64_t>(0, size_ - below);
    std::vector<float> panel(static_cast<size_t>(rows * kBlock));
    if (rows == 0) {
      return panel;
    }
    calibration::multiply(calibration::Product{.m = rows,
                                               .n = kBlock,
                                               .k = kBlock,
                                               .a = at(below, first),
                                               .lda = size_,
                                               .b = at(first, first),
                                               .ldb = size_,
                                               .transpose_b = true,
                                               .c = panel.data(),
                                               .ldc = kBlock});
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(panel.data() + row * kBlock, kBlock, at(below + row, first));
    }
    std::ranges::transform(panel, panel.begin(), std::negate<>());
    return panel;
  }

  /// Subtracts what a block column of L explains from the columns behind, [begin, size).
  void update(int64_t begin, const std::vector<float>& panel) {
    calibration::parallel_ranges(std::max<int64_t>(0, size_ - begin), kBlock, [&](int64_t from, int64_t to) {
      const int64_t column = begin + from;
      calibration::multiply(calibration::Product{.m = size_ - column,
                                                 .n = to - from,
                                                 .k = kBlock,
                                                 .a = panel.data() + from * kBlock,
                                                 .lda = kBlock,
                                                 .b = at(column, begin - kBlock),
                                                 .ldb = size_,
                                                 .transpose_b = true,
                                                 .c = at(column, column),
                                                 .ldc = size_,
                                                 .accumulate = true});
    });
  }

  /// A block row of the inverse, left of its diagonal block: -inverse_ii * sum over l of L_il inverse_lj. All of L's
  /// row is read for it before any of it is replaced.
  void invert_row(int64_t row) {
    const int64_t rows = width(row);
    Matrix diagonal = -view(at(row, row), rows);
    std::vector<float> found(static_cast<size_t>(rows * row));
    calibration::parallel_ranges(row, kBlock, [&](int64_t column, int64_t end) {
      std::vector<float> sum(static_cast<size_t>(rows * kBlock));
      calibration::multiply(calibration::Product{.m = rows,
                                                 .n = end - column,
                                                 .k = row - column,
                                                 .a = at(row, column),
                                                 .lda = size_,
                                                 .b = at(column, column),
                                                 .ldb = size_,
                                                 .c = sum.data(),
                                                 .ldc = kBlock});
      calibration::multiply(calibration::Product{.m = rows,
                                                 .n = end - column,
                                                 .k = rows,
                                                 .a = diagonal.data(),
                                                 .lda = rows,
                                                 .b = sum.data(),
                                                 .ldb = kBlock,
                                                 .c = found.data() + column,
                                                 .ldc = row});
    });
    for (int64_t i = 0; i < rows; ++i) {
      std::copy_n(found.data() + i * row, row, at(row + i, 0));
    }
  }

  int64_t size_;
  std::vector<float> matrix_;
};

}  // namespace

std::optional<std::vector<float>> inverse_cholesky(std::vector<float> matrix, int64_t size) {
  Cholesky cholesky(std::move(matrix), size);
  if (!cholesky.run()) {
    return std::nullopt;
  }
  return cholesky.take_inverse();
}

}  // namespace terse::passes
