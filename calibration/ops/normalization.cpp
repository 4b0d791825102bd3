#include <cmath>

#include "calibration/ops/axes.h"
#include "calibration/ops/elementwise.h"
#include "calibration/ops/vector_math.h"

namespace terse::calibration::ops {
namespace {

/// RMS normalization subtracts no mean.
enum class Center { mean, zero };

/// Normalizes rows in f32: (x - mean) / sqrt(variance + epsilon) * scale + bias.
struct RowNormalizer {
  Center center = Center::mean;
  float epsilon = 1e-5F;
  Tensor scale, bias;  ///< f32, a row; bias may be empty

  void run(const float* in, float* out, int64_t count, float& mean, float& inverse_deviation) const {
    const auto n = static_cast<float>(count);
    mean = center == Center::mean ? vector_sum(in, count) / n : 0;
    inverse_deviation = 1 / std::sqrt(vector_squared_sum(in, mean, count) / n + epsilon);
    const float shift = mean;
    const float factor = inverse_deviation;
    const float* scales = scale.values<float>().data();
    for (int64_t i = 0; i < count; ++i) {
      out[i] = (in[i] - shift) * factor * scales[i];
    }
    if (!bias.empty()) {
      const float* biases = bias.values<float>().data();
      for (int64_t i = 0; i < count; ++i) {
        out[i] += biases[i];
      }
    }
  }
};

struct Normalized {
  Tensor out, mean, inverse_deviation;
};

/// A scale or a bias broadcast to a row. Error input if it has another shape.
Tensor as_row(const Tensor& tensor, const Shape& row) {
  if (tensor.shape() != row && broadcast_shape(tensor.shape(), row) != row) {
    throw Error(Kind::input, "scale or bias of shape {}, expected {}", to_string(tensor.shape()), to_string(row));
  }
  const Tensor values = to_f32(tensor);
  return tensor.shape() == row ? values
                               : apply_binary<float, float>(values, Tensor::make(DType::f32, row),
                                                            [](float x, float zero) { return x + zero; });
}

/// Rows are all axes from `axis` on.
Normalized normalize(const Tensor& x, int64_t axis, const RowNormalizer& row) {
  const AxisView view = view_around(x.shape(), axis, x.rank() - axis);
  Shape reduced = x.shape();
  std::fill(reduced.begin() + axis, reduced.end(), 1);
  const Tensor in = to_f32(x);
  Tensor out = Tensor::uninitialized(DType::f32, x.shape());
  Tensor means = Tensor::uninitialized(DType::f32, reduced);
  Tensor deviations = Tensor::uninitialized(DType::f32, reduced);
  const float* from = in.values<float>().data();
  float* to = out.mutable_values<float>().data();
  float* mean = means.mutable_values<float>().data();
  float* deviation = deviations.mutable_values<float>().data();
  const int64_t rows_per_task = std::max(int64_t{1}, kElementsPerTask / std::max(view.size, int64_t{1}));
  parallel_ranges(view.outer, rows_per_task, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      row.run(from + i * view.size, to + i * view.size, view.size, mean[i], deviation[i]);
    }
  });
  return {from_f32(out, x.dtype()), std::move(means), std::move(deviations)};
}

Normalized run(const OpCall& call, Center center, const Tensor* bias) {
  const Tensor& x = call.input(0);
  if (!is_float(x.dtype())) {
    throw_unsupported_dtype(call, x.dtype());
  }
  const int64_t axis = resolve_axis(call.node.get_int("axis", -1), x.rank());
  const Shape row(x.shape().begin() + axis, x.shape().end());
  return normalize(x, axis,
                   {.center = center,
                    .epsilon = call.node.get_float("epsilon", 1e-5F),
                    .scale = as_row(call.input(1), row),
                    .bias = bias == nullptr ? Tensor() : as_row(*bias, row)});
}

}  // namespace

std::vector<Tensor> layer_normalization(const OpCall& call) {
  Normalized n = run(call, Center::mean, call.find_input(2));
  return {std::move(n.out), std::move(n.mean), std::move(n.inverse_deviation)};
}

std::vector<Tensor> rms_normalization(const OpCall& call) { return {run(call, Center::zero, nullptr).out}; }

/// onnxruntime's form of RMS normalization.
std::vector<Tensor> simplified_layer_normalization(const OpCall& call) {
  Normalized n = run(call, Center::zero, nullptr);
  return {std::move(n.out), std::move(n.inverse_deviation)};
}

}  // namespace terse::calibration::ops
