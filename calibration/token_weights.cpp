#include "calibration/token_weights.h"

#include <algorithm>
#include <cmath>

#include "calibration/ops/vector_math.h"

namespace terse::calibration {
namespace {

bool has_rows(const Tensor& value, int64_t tokens) {
  const int64_t width = value.rank() < 2 ? 1 : value.shape().back();
  return value.dtype() == DType::f32 && width > 1 && value.count() == tokens * width;
}

std::vector<float> norms_of(const Tensor& value, const std::vector<int64_t>& rows) {
  const int64_t width = value.shape().back();
  const float* numbers = value.values<float>().data();
  std::vector<float> norms;
  norms.reserve(rows.size());
  for (const int64_t row : rows) {
    norms.push_back(std::sqrt(vector_squared_sum(numbers + row * width, 0, width)));
  }
  return norms;
}

float median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<float> token_weights(const std::vector<Tensor>& passing, int64_t tokens, const std::vector<int64_t>& rows) {
  std::vector<float> weights;
  for (const Tensor& value : passing) {
    if (rows.empty() || !has_rows(value, tokens)) {
      continue;
    }
    const std::vector<float> norms = norms_of(value, rows);
    const float typical = median(norms);
    weights.resize(rows.size());
    for (size_t i = 0; i < norms.size() && typical > 0; ++i) {
      weights[i] = std::max(weights[i], norms[i] / typical);
    }
  }
  const bool is_known = std::ranges::any_of(weights, [](float weight) { return weight > 0; });
  return is_known ? weights : std::vector<float>(rows.size(), 1.0F);
}

}  // namespace terse::calibration
