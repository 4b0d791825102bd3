#include <algorithm>
#include <cmath>
#include <numeric>

#include "calibration/ops/elementwise.h"

namespace terse::calibration::ops {
namespace {

int64_t product(Shape::const_iterator begin, Shape::const_iterator end) {
  return std::accumulate(begin, end, int64_t{1}, std::multiplies<>());
}

/// f32 matrices along leading axes.
struct Matrices {
  Tensor values;
  Shape batch;
  int64_t rows = 1, columns = 1;
  bool transposed = false;

  int64_t stored_columns() const { return transposed ? rows : columns; }
};

enum class Side { left, right };

/// An operand of numpy's matmul: a vector is a row on the left and a column on the right.
Matrices as_matrices(const Tensor& tensor, Side side, bool transposed) {
  Shape shape = tensor.shape();
  if (shape.empty()) {
    throw Error(Kind::input, "operand of a product is a scalar");
  }
  if (shape.size() == 1) {
    shape.insert(side == Side::left ? shape.begin() : shape.end(), 1);
    transposed = false;
  }
  if (transposed) {
    shape = swap_last_two(std::move(shape));
  }
  return {.values = to_f32(tensor),
          .batch = Shape(shape.begin(), shape.end() - 2),
          .rows = shape[shape.size() - 2],
          .columns = shape.back(),
          .transposed = transposed};
}

void check_depth(int64_t left, int64_t right, const Shape& a, const Shape& b) {
  if (left != right) {
    throw Error(Kind::input, "product of {} and {}: {} columns, expected {}", to_string(a), to_string(b), left, right);
  }
}

/// The shape of a matmul's result: without the axes that vectors were given.
Shape result_shape(Shape batch, const Tensor& a, int64_t rows, int64_t columns, int64_t b_rank) {
  if (a.rank() > 1) {
    batch.push_back(rows);
  }
  if (b_rank > 1) {
    batch.push_back(columns);
  }
  return batch;
}

Tensor multiply_packed(const Tensor& a, const PackedMatrix& weight) {
  const Tensor left = to_f32(a);
  const int64_t depth = a.rank() == 0 ? 1 : a.shape().back();
  check_depth(depth, weight.depth(), a.shape(), {weight.depth(), weight.columns()});
  Shape shape = a.shape();
  if (shape.empty()) {
    throw Error(Kind::input, "operand of a product is a scalar");
  }
  shape.back() = weight.columns();
  Tensor out = Tensor::uninitialized(DType::f32, shape);
  const int64_t rows = product(a.shape().begin(), a.shape().end() - 1);
  multiply(left.values<float>().data(), rows, weight, out.mutable_values<float>().data());
  return out;
}

Tensor multiply_batches(const Matrices& a, const Matrices& b, const Shape& out_shape) {
  const Shape batch = broadcast_shape(a.batch, b.batch);
  Tensor out = Tensor::uninitialized(DType::f32, out_shape);
  const Broadcast pairs(a.batch, b.batch, batch);
  const float* a_data = a.values.values<float>().data();
  const float* b_data = b.values.values<float>().data();
  float* out_data = out.mutable_values<float>().data();
  parallel_for(product(batch.begin(), batch.end()), [&](int64_t i) {
    const int64_t inside = i % pairs.length();
    const auto at = pairs.offsets(i / pairs.length());
    multiply(Product{.m = a.rows,
                     .n = b.columns,
                     .k = a.columns,
                     .a = a_data + (at.a + inside * pairs.a_step()) * a.rows * a.columns,
                     .lda = a.stored_columns(),
                     .transpose_a = a.transposed,
                     .b = b_data + (at.b + inside * pairs.b_step()) * b.rows * b.columns,
                     .ldb = b.stored_columns(),
                     .transpose_b = b.transposed,
                     .c = out_data + i * a.rows * b.columns,
                     .ldc = b.columns});
  });
  return out;
}

/// A matrix without leading axes on the right multiplies all rows of the left at once.
void merge_batch_into_rows(Matrices& a, const Matrices& b) {
  if (b.batch.empty() && !a.transposed) {
    a.rows *= product(a.batch.begin(), a.batch.end());
    a.batch.clear();
  }
}

/// Result in f32, before it is rounded to the type of `a`.
Tensor matmul_f32(const OpCall& call) {
  const Tensor& a = call.input(0);
  const bool transpose_a = call.node.get_int("transA", 0) != 0;
  if (call.packed_weight != nullptr && !transpose_a) {
    return multiply_packed(a, *call.packed_weight);
  }
  const Tensor& b = call.input(1);
  Matrices left = as_matrices(a, Side::left, transpose_a);
  const Matrices right = as_matrices(b, Side::right, call.node.get_int("transB", 0) != 0);
  check_depth(left.columns, right.rows, a.shape(), b.shape());
  const Shape shape = result_shape(broadcast_shape(left.batch, right.batch), a, left.rows, right.columns, b.rank());
  merge_batch_into_rows(left, right);
  return multiply_batches(left, right, shape);
}

Tensor scaled(const Tensor& values, float factor) {
  return factor == 1 ? values : apply_unary<float, float>(values, [&](float x) { return x * factor; });
}

void check_float_operands(const OpCall& call) {
  for (const Tensor* input : call.inputs) {
    if (input != nullptr && !is_float(input->dtype())) {
      throw_unsupported_dtype(call, input->dtype());
    }
  }
}

}  // namespace

std::vector<Tensor> matmul(const OpCall& call) {
  check_float_operands(call);
  return {from_f32(matmul_f32(call), call.input(0).dtype())};
}

std::vector<Tensor> fused_matmul(const OpCall& call) {
  check_float_operands(call);
  if (call.node.get_int("transBatchA", 0) != 0 || call.node.get_int("transBatchB", 0) != 0) {
    throw Error(Kind::unsupported, "FusedMatMul with transposed batches");
  }
  return {from_f32(scaled(matmul_f32(call), call.node.get_float("alpha", 1)), call.input(0).dtype())};
}

std::vector<Tensor> gemm(const OpCall& call) {
  check_float_operands(call);
  const Tensor& a = call.input(0);
  if (a.rank() != 2) {
    throw Error(Kind::input, "Gemm of shape {}, expected a matrix", to_string(a.shape()));
  }
  Tensor out = scaled(matmul_f32(call), call.node.get_float("alpha", 1));
  const Tensor* c = call.find_input(2);
  const float beta = call.node.get_float("beta", 1);
  if (c != nullptr && beta != 0) {
    const Shape shape = out.shape();
    out = apply_binary<float, float>(out, scaled(to_f32(*c), beta), [](float x, float y) { return x + y; });
    if (out.shape() != shape) {
      throw Error(Kind::input, "C of shape {} does not broadcast to {}", to_string(c->shape()), to_string(shape));
    }
  }
  return {from_f32(out, a.dtype())};
}

}  // namespace terse::calibration::ops
