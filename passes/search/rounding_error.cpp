#include "passes/search/rounding_error.h"

#include <algorithm>

#include "passes/projection.h"

namespace terse::passes {
namespace {

bool is_bfloat16(const Encoding& weight) { return weight.dense() != nullptr && weight.dense()->dtype == DType::bf16; }

Tensor to_bfloat16_tensor(const Tensor& floats) {
  Tensor narrow = Tensor::uninitialized(DType::bf16, floats.shape());
  std::ranges::transform(floats.values<float>(), narrow.mutable_values<BFloat16>().begin(),
                         [](float x) { return to_bfloat16(x); });
  return narrow;
}

}  // namespace

EncodingPtr sample_rows(const Encoding& weight, int64_t count) {
  const int64_t taken = std::min(count, weight.rows()), columns = weight.columns();
  Tensor rows = Tensor::uninitialized(DType::f32, {taken, columns});
  const auto numbers = rows.mutable_values<float>();
  for (int64_t i = 0; i < taken; ++i) {
    decode_rows(weight, i * weight.rows() / taken, 1,
                numbers.subspan(static_cast<size_t>(i * columns), static_cast<size_t>(columns)));
  }
  release_pages(weight);
  return make_dense(is_bfloat16(weight) ? to_bfloat16_tensor(rows) : rows);
}

Rounded round_weight(const EncodingPtr& weight, const PassCall& call, std::string_view solver, LayerInputs* inputs) {
  const PassRow& row = get_pass(call.name);
  const auto projection = row.project(Arguments(row, call));
  Projected projected = project(weight, {}, projection.get(), Effort::solve, solver, inputs, [](double) {});
  const Solution& solution = *projected.solution;
  const double plain = solution.signal > 0 ? solution.noise / solution.signal : 0;
  return {.encoding = std::move(projected.encoding), .error = projected.output_error.value_or(plain)};
}

}  // namespace terse::passes
