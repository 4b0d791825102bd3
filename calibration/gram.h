#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibration/gemm.h"
#include "formats/tensor.h"

namespace terse::calibration {

/// X^T X of rows that come one sample after the other: the Hessian of a layer's squared output error, up to a factor.
/// Rows are gathered into panels of a fixed height and added to tiles of the result, each by one thread at a time, so
/// the bits depend on the rows and their order alone.
/// Shapes:  matrix [columns, columns] f32, symmetric.
/// Cost:    columns^2 / 2 multiplications a row (the upper half only), columns^2 + 512 * columns floats.
class Gram {
 public:
  /// With Precision::bf16 the weighted rows are rounded to bf16; sums are f32.
  explicit Gram(int64_t columns, Precision precision = Precision::f32);

  /// A finished one of so many rows: the sum of upper triangles [columns * (columns + 1) / 2], row by row, in their
  /// order.
  static Gram of_upper(int64_t columns, int64_t rows, std::span<const std::span<const float>> triangles);

  /// Rows [count, columns], row-major, each counted `weights[i]` times (empty: once).
  void add(std::span<const float> rows, std::span<const float> weights);

  /// After the last row: adds what is left over and fills the lower half.
  void finish();

  /// Adds another one's rows; both finished.
  void merge(const Gram& other);

  int64_t columns() const { return columns_; }
  int64_t rows() const { return rows_; }  ///< added so far
  std::span<const float> matrix() const { return matrix_; }
  float at(int64_t row, int64_t column) const { return matrix_[static_cast<size_t>(row * columns_ + column)]; }

 private:
  void fill_lower();
  void flush();
  template <typename T>
  void add_panel(const T* panel);

  int64_t columns_, rows_ = 0, gathered_ = 0;
  Tensor panel_;  ///< [512, columns] of weighted rows
  std::vector<float> matrix_;
};

}  // namespace terse::calibration
