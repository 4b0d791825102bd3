#include <cmath>

#include "calibration/ops/cast.h"
#include "calibration/ops/elementwise.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "calibration/parallel.h"
#include "formats/error.h"

// MatMulInteger and QLinearMatMul: products of 8-bit matrices, summed in 32 bits.

namespace terse::calibration::ops {
namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

/// A stack of matrices with the zero points taken off, as i16.
struct Operand {
  Shape batch;
  int64_t rows = 0, columns = 0;
  std::vector<int16_t> values;
};

enum class Lines : uint8_t { rows, columns };

/// One zero point for all, or one a row (or column).
std::vector<int32_t> zeros_of(const Tensor* zero_points, int64_t lines) {
  if (zero_points == nullptr) {
    return std::vector<int32_t>(at(lines));
  }
  const auto wide = to_int64s(*zero_points);
  if (wide.size() != 1 && wide.size() != at(lines)) {
    throw Error(Kind::unsupported, "zero points of shape {} for {} rows or columns", to_string(zero_points->shape()),
                lines);
  }
  std::vector<int32_t> zeros(at(lines));
  for (size_t i = 0; i < zeros.size(); ++i) {
    zeros[i] = static_cast<int32_t>(wide.size() == 1 ? wide[0] : wide[i]);
  }
  return zeros;
}

Operand make_operand(const Tensor& tensor, const Tensor* zero_points, Lines lines) {
  if (tensor.rank() < 2 || (tensor.dtype() != DType::i8 && tensor.dtype() != DType::u8)) {
    throw Error(Kind::unsupported, "an operand {} {}, expected matrices of i8 or u8", name(tensor.dtype()),
                to_string(tensor.shape()));
  }
  const Shape& shape = tensor.shape();
  Operand operand{.batch = {shape.begin(), shape.end() - 2}, .rows = shape[shape.size() - 2], .columns = shape.back()};
  const auto zeros = zeros_of(zero_points, lines == Lines::rows ? operand.rows : operand.columns);
  const Tensor wide = cast_to(tensor, DType::i16);
  operand.values.assign(wide.values<int16_t>().begin(), wide.values<int16_t>().end());
  for (size_t i = 0; i < operand.values.size(); ++i) {
    const int64_t column = static_cast<int64_t>(i) % operand.columns;
    const int64_t row = static_cast<int64_t>(i) / operand.columns % operand.rows;
    operand.values[i] = static_cast<int16_t>(operand.values[i] - zeros[at(lines == Lines::rows ? row : column)]);
  }
  return operand;
}

/// The matrix of `batch` that belongs to matrix `index` of the broadcast `out`.
int64_t batch_index(const Shape& batch, const Shape& out, int64_t index) {
  int64_t result = 0;
  int64_t stride = 1;
  for (size_t i = 1; i <= out.size(); ++i) {
    const int64_t position = index % out[out.size() - i];
    index /= out[out.size() - i];
    if (i <= batch.size()) {
      const int64_t size = batch[batch.size() - i];
      result += (size == 1 ? 0 : position) * stride;
      stride *= size;
    }
  }
  return result;
}

/// Sums wrap around at 32 bits.
void multiply_row(const int16_t* a, const int16_t* b, int64_t depth, std::span<uint32_t> sums) {
  std::ranges::fill(sums, 0U);
  for (int64_t k = 0; k < depth; ++k) {
    const int32_t factor = a[k];
    const int16_t* line = b + k * std::ssize(sums);
    for (size_t n = 0; n < sums.size(); ++n) {
      sums[n] += static_cast<uint32_t>(factor * line[n]);
    }
  }
}

Tensor integer_product(const Operand& a, const Operand& b) {
  if (a.columns != b.rows) {
    throw Error(Kind::input, "matrices [{},{}] and [{},{}]", a.rows, a.columns, b.rows, b.columns);
  }
  const Shape batch = broadcast_shape(a.batch, b.batch);
  Shape shape = batch;
  shape.insert(shape.end(), {a.rows, b.columns});
  Tensor out = Tensor::uninitialized(DType::i32, shape);
  if (out.count() == 0) {
    return out;
  }
  int32_t* to = out.mutable_values<int32_t>().data();
  parallel_for(out.count() / b.columns, [&](int64_t row) {
    const int64_t matrix = row / a.rows;
    std::vector<uint32_t> sums(at(b.columns));
    multiply_row(a.values.data() + (batch_index(a.batch, batch, matrix) * a.rows + row % a.rows) * a.columns,
                 b.values.data() + batch_index(b.batch, batch, matrix) * b.rows * b.columns, a.columns, sums);
    std::ranges::transform(sums, to + row * b.columns, [](uint32_t sum) { return static_cast<int32_t>(sum); });
  });
  return out;
}

float scalar_of(const Tensor& tensor) {
  if (tensor.count() != 1) {
    throw Error(Kind::unsupported, "a scale of shape {}, expected one number", to_string(tensor.shape()));
  }
  return to_f32(tensor).values<float>()[0];
}

}  // namespace

std::vector<Tensor> matmul_integer(const OpCall& call) {
  return {integer_product(make_operand(call.input(0), call.find_input(2), Lines::rows),
                          make_operand(call.input(1), call.find_input(3), Lines::columns))};
}

std::vector<Tensor> qlinear_matmul(const OpCall& call) {
  const Tensor sums = integer_product(make_operand(call.input(0), &call.input(2), Lines::rows),
                                      make_operand(call.input(3), &call.input(5), Lines::columns));
  const float scale = scalar_of(call.input(1)) * scalar_of(call.input(4)) / scalar_of(call.input(6));
  const DType dtype = call.input(7).dtype();
  if (call.input(7).count() != 1 || (dtype != DType::i8 && dtype != DType::u8)) {
    throw Error(Kind::unsupported, "a zero point {} {}, expected one number of type i8 or u8", name(dtype),
                to_string(call.input(7).shape()));
  }
  const auto zero = static_cast<float>(to_int64s(call.input(7))[0]);
  const float low = dtype == DType::i8 ? -128 : 0;
  Tensor codes = apply_unary<int32_t, int32_t>(sums, [&](int32_t sum) {
    const float code = std::nearbyint(static_cast<float>(sum) * scale) + zero;
    return static_cast<int32_t>(std::min(std::max(low, code), low + 255));
  });
  return {cast_to(codes, dtype)};
}

}  // namespace terse::calibration::ops
