#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "calibration/executor.h"

namespace terse::calibration {

/// What a sample brings to a barrier: [tokens, columns] in f32.
struct SampleRows {
  Tensor values;
  Tensor originals;  ///< what the original model has there; empty while it is the same
  std::vector<float> weights;
  bool finite = true;
  int64_t tokens = 0;          ///< that the sample has
  std::vector<float> squares;  ///< of columns, if they are asked for
};

/// Of a value's rows those that are no padding, with the weights of their tokens (token_weights.h).
///   original  what the original model has there; may be empty, and is not looked at where it has other rows
///   passing   the values beside this one, by which tokens are weighed
SampleRows gather_rows(const Tensor& value, const Tensor& original, const std::vector<Tensor>& passing,
                       const Sample& sample);

/// How much each row counts of a value in which a token has one, or as many neighbouring ones as it has experts: 0 for
/// padding.
std::vector<float> weigh_rows(int64_t rows, const std::vector<Tensor>& passing, const Sample& sample);

/// The rows of a matrix that count at all.
SampleRows select_counted(const Tensor& value, std::span<const float> weights);

/// The given rows of a matrix of floats; itself if these are all.
Tensor select_rows(const Tensor& matrix, int64_t columns, const std::vector<int64_t>& rows);

/// Sums of squares, of one sample: few enough rows for sums in f32.
std::vector<float> column_squares(std::span<const float> rows, int64_t columns);

inline int64_t rows_of(const Tensor& value) { return value.count() / std::max<int64_t>(value.shape().back(), 1); }

}  // namespace terse::calibration
