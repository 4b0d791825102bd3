#include <cmath>
#include <vector>

#include "calibration/ops/axes.h"
#include "calibration/ops/elementwise.h"
#include "calibration/ops/vector_math.h"

namespace terse::calibration::ops {
namespace {

/// Rows whose elements are all -infinity become NaN, as everywhere.
void softmax_row(const float* in, float* out, int64_t count) {
  const float factor = 1 / vector_exp_sum(in, vector_max(in, count), out, count);
  for (int64_t i = 0; i < count; ++i) {
    out[i] *= factor;
  }
}

void log_softmax_row(const float* in, float* out, int64_t count) {
  const float largest = vector_max(in, count);
  const float shift = largest + std::log(vector_exp_sum(in, largest, out, count));
  for (int64_t i = 0; i < count; ++i) {
    out[i] = in[i] - shift;
  }
}

/// `in` and `out` are not the same.
using RowFunction = void (*)(const float* in, float* out, int64_t count);

/// A row whose elements lie `stride` apart.
void run_strided(RowFunction row, const float* in, float* out, int64_t count, int64_t stride) {
  std::vector<float> line(static_cast<size_t>(count));
  std::vector<float> result(line.size());
  for (size_t i = 0; i < line.size(); ++i) {
    line[i] = in[static_cast<int64_t>(i) * stride];
  }
  row(line.data(), result.data(), count);
  for (size_t i = 0; i < line.size(); ++i) {
    out[static_cast<int64_t>(i) * stride] = result[i];
  }
}

std::vector<Tensor> along_axis(const OpCall& call, RowFunction row) {
  const Tensor& x = call.input(0);
  if (!is_float(x.dtype())) {
    throw_unsupported_dtype(call, x.dtype());
  }
  const AxisView view = view_around(x.shape(), resolve_axis(call.node.get_int("axis", -1), x.rank()));
  const Tensor in = to_f32(x);
  Tensor out = Tensor::uninitialized(DType::f32, x.shape());
  const float* from = in.values<float>().data();
  float* to = out.mutable_values<float>().data();
  const int64_t rows_per_task = std::max(int64_t{1}, kElementsPerTask / std::max(view.size, int64_t{1}));
  parallel_ranges(view.size == 0 ? 0 : view.outer * view.inner, rows_per_task, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i / view.inner * view.size * view.inner + i % view.inner;
      if (view.inner == 1) {
        row(from + at, to + at, view.size);
      } else {
        run_strided(row, from + at, to + at, view.size, view.inner);
      }
    }
  });
  return {from_f32(out, x.dtype())};
}

}  // namespace

std::vector<Tensor> softmax(const OpCall& call) { return along_axis(call, softmax_row); }

std::vector<Tensor> log_softmax(const OpCall& call) { return along_axis(call, log_softmax_row); }

}  // namespace terse::calibration::ops
