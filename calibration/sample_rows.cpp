#include "calibration/sample_rows.h"

#include <algorithm>
#include <numeric>

#include "calibration/token_weights.h"

namespace terse::calibration {
namespace {

/// The rows of a value with `count` rows that are no padding.
std::vector<int64_t> find_tokens(const Sample& sample, int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  const auto mask = sample.find("attention_mask");
  if (mask != sample.end() && mask->second.count() == count && is_integer(mask->second.dtype())) {
    const std::vector<int64_t> is_token = to_int64s(mask->second);
    std::erase_if(rows, [&](int64_t row) { return is_token[static_cast<size_t>(row)] == 0; });
  }
  return rows;
}

/// Tokens of a value in which each has a row, or as many neighbouring ones as it has experts.
int64_t count_tokens(const Sample& sample, int64_t rows) {
  const auto mask = sample.find("attention_mask");
  const int64_t tokens = mask == sample.end() ? rows : mask->second.count();
  return tokens > 0 && rows % tokens == 0 ? tokens : rows;
}

}  // namespace

Tensor select_rows(const Tensor& matrix, int64_t columns, const std::vector<int64_t>& rows) {
  if (std::ssize(rows) * columns == matrix.count()) {
    return matrix;
  }
  Tensor selected = Tensor::uninitialized(DType::f32, {std::ssize(rows), columns});
  float* to = selected.mutable_values<float>().data();
  for (const int64_t row : rows) {
    to = std::copy_n(matrix.values<float>().data() + row * columns, columns, to);
  }
  return selected;
}

std::vector<float> column_squares(std::span<const float> rows, int64_t columns) {
  std::vector<float> sums(static_cast<size_t>(columns));
  for (size_t begin = 0; begin < rows.size(); begin += sums.size()) {
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] += rows[begin + i] * rows[begin + i];
    }
  }
  return sums;
}

SampleRows gather_rows(const Tensor& value, const Tensor& original, const std::vector<Tensor>& passing,
                       const Sample& sample) {
  const Tensor floats = to_f32(value);
  const int64_t columns = floats.shape().back(), count = rows_of(floats);
  const std::vector<int64_t> tokens = find_tokens(sample, count);
  Tensor values = select_rows(floats, columns, tokens);
  const bool has_same_rows = !original.empty() && original.shape() == value.shape();
  return {.values = std::move(values),
          .originals = has_same_rows ? select_rows(to_f32(original), columns, tokens) : Tensor(),
          .weights = token_weights(passing, count, tokens),
          .tokens = std::ssize(tokens),
          .squares = {}};
}

std::vector<float> weigh_rows(int64_t rows, const std::vector<Tensor>& passing, const Sample& sample) {
  const int64_t count = count_tokens(sample, rows);
  const std::vector<int64_t> tokens = find_tokens(sample, count);
  const std::vector<float> weights = token_weights(passing, count, tokens);
  std::vector<float> by_row(static_cast<size_t>(rows));
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::fill_n(by_row.begin() + tokens[i] * (rows / count), rows / count, weights[i]);
  }
  return by_row;
}

SampleRows select_counted(const Tensor& value, std::span<const float> weights) {
  SampleRows rows;
  std::vector<int64_t> counted;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) {
      counted.push_back(static_cast<int64_t>(i));
      rows.weights.push_back(weights[i]);
    }
  }
  rows.values = select_rows(to_f32(value), value.shape().back(), counted);
  return rows;
}

}  // namespace terse::calibration
