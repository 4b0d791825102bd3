#include "calibration/ops/elementwise.h"

namespace terse::calibration::ops {
namespace {

enum class Pairs { halves, neighbours };

/// One head of one token: `half` pairs are turned by their angles, the rest stays.
void rotate(const float* in, float* out, int64_t size, const float* cosines, const float* sines, int64_t half,
            Pairs pairs) {
  const int64_t step = pairs == Pairs::neighbours ? 2 : 1;
  const int64_t distance = pairs == Pairs::neighbours ? 1 : half;
  for (int64_t i = 0; i < half; ++i) {
    const float x = in[i * step];
    const float y = in[i * step + distance];
    out[i * step] = cosines[i] * x - sines[i] * y;
    out[i * step + distance] = sines[i] * x + cosines[i] * y;
  }
  std::copy(in + 2 * half, in + size, out + 2 * half);
}

/// The input as [batch, rows, heads, size] by strides.
struct Layout {
  int64_t batch = 0, rows = 0, heads = 0, size = 0;
  int64_t row_stride = 0, head_stride = 0;
};

Layout layout_of(const Tensor& x, int64_t heads) {
  const Shape& s = x.shape();
  if (s.size() == 4) {
    return {.batch = s[0], .rows = s[2], .heads = s[1], .size = s[3], .row_stride = s[3], .head_stride = s[2] * s[3]};
  }
  if (s.size() != 3 || heads <= 0 || s[2] % heads != 0) {
    throw Error(Kind::input,
                "shape {} with {} heads, expected [batch, heads, rows, size] or [batch, rows, heads * size]",
                to_string(s), heads);
  }
  return {.batch = s[0],
          .rows = s[1],
          .heads = heads,
          .size = s[2] / heads,
          .row_stride = s[2],
          .head_stride = s[2] / heads};
}

/// The row of the tables for every token: given by position, or the tables are [batch, rows, half] themselves.
std::vector<int64_t> table_rows(const Tensor* positions, const Layout& at, int64_t table_size) {
  std::vector<int64_t> rows(static_cast<size_t>(at.batch * at.rows));
  const std::vector<int64_t> given = positions == nullptr ? std::vector<int64_t>() : to_int64s(*positions);
  if (positions != nullptr && given.size() != rows.size()) {
    throw Error(Kind::input, "position_ids of shape {}, expected [{},{}]", to_string(positions->shape()), at.batch,
                at.rows);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] = positions == nullptr ? static_cast<int64_t>(i) : given[i];
    if (rows[i] < 0 || rows[i] >= table_size) {
      throw Error(Kind::input, "position {} is outside of the {} rows of the tables", rows[i], table_size);
    }
  }
  return rows;
}

}  // namespace

/// Source: ONNX's RotaryEmbedding, opset 23.
std::vector<Tensor> rotary_embedding(const OpCall& call) {
  const Tensor& x = call.input(0);
  const Layout at = layout_of(x, call.node.get_int("num_heads", 0));
  const int64_t given = call.node.get_int("rotary_embedding_dim", 0);
  const int64_t half = (given == 0 ? at.size : given) / 2;
  const Tensor cosines = to_f32(call.input(1));
  const Tensor sines = to_f32(call.input(2));
  if (half < 0 || 2 * half > at.size || cosines.rank() == 0 || cosines.shape().back() != half ||
      sines.shape() != cosines.shape()) {
    throw Error(Kind::input, "tables of shapes {} and {}, expected rows of {}", to_string(cosines.shape()),
                to_string(sines.shape()), half);
  }
  const auto rows = table_rows(call.find_input(3), at, half == 0 ? INT64_MAX : cosines.count() / half);
  const Pairs pairs = call.node.get_int("interleaved", 0) != 0 ? Pairs::neighbours : Pairs::halves;

  const Tensor in = to_f32(x);
  Tensor out = Tensor::uninitialized(DType::f32, x.shape());
  const float* from = in.values<float>().data();
  float* to = out.mutable_values<float>().data();
  const int64_t tokens_per_task = std::max(int64_t{1}, kElementsPerTask / std::max(at.heads * at.size, int64_t{1}));
  parallel_ranges(at.batch * at.rows, tokens_per_task, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) {
      const int64_t first = token / at.rows * at.rows * at.heads * at.size + token % at.rows * at.row_stride;
      const int64_t table = rows[static_cast<size_t>(token)] * half;
      for (int64_t head = 0; head < at.heads; ++head) {
        const int64_t offset = first + head * at.head_stride;
        rotate(from + offset, to + offset, at.size, cosines.values<float>().data() + table,
               sines.values<float>().data() + table, half, pairs);
      }
    }
  });
  return {from_f32(out, x.dtype())};
}

}  // namespace terse::calibration::ops
