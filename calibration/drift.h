#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibration/gemm.h"
#include "formats/tensor.h"

namespace terse::calibration {

/// How far what a linear reads has moved from what the original model gives it, as far as it can be told from what it
/// reads now: the sum over tokens of weight * x^T (x0 - x), for rows x of now and x0 of the original.
/// With H = X^T X, a weight Q for which (Q - W) H = W (X0 - X)^T X has outputs X Q^T that are nearest to X0 W^T.
/// Source:  Li et al. 2025, GPTAQ, arXiv:2504.02692, asymmetric calibration.
/// Shapes:  matrix [columns, columns] f32: row i belongs to what is read now, column j to what has moved.
/// Cost:    columns^2 multiplications a row; columns^2 + 1024 * columns floats from the first row on.
class Drift {
 public:
  /// With Precision::bf16 the weighted rows and differences are rounded to bf16; sums are f32.
  explicit Drift(int64_t columns, Precision precision = Precision::f32) : columns_(columns), precision_(precision) {}

  /// Rows [count, columns] of now and of the original, row-major, each counted `weights[i]` times (empty: once).
  void add(std::span<const float> rows, std::span<const float> originals, std::span<const float> weights);

  /// After the last row: adds what is left over.
  void finish();

  /// Whether nothing was added: the model is as it was.
  bool empty() const { return matrix_.empty(); }
  std::span<const float> matrix() const { return matrix_; }

 private:
  void begin();
  void flush();
  template <typename T>
  void add_panel(const T* rows, const T* differences);

  int64_t columns_, gathered_ = 0;
  Precision precision_;
  Tensor rows_, differences_;  ///< [512, columns], weighted
  std::vector<float> matrix_;
};

}  // namespace terse::calibration
