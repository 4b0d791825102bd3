#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "calibration/ops/elementwise.h"
#include "calibration/ops/vector_math.h"

namespace terse::calibration::ops {
namespace {

constexpr int64_t kQueriesPerTask = 128;  // whose scores against 1,000 keys stay in the second-level cache
constexpr int64_t kSumStep = 64;          // four of the widest vectors, which sums are made of
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Queries, keys or values: [batch, heads, rows, size] or [batch, rows, heads * size], f32 or rounded to bf16.
struct Heads {
  Tensor values;
  int64_t batch = 0, heads = 0, rows = 0, size = 0;
  int64_t batch_stride = 0, head_stride = 0, row_stride = 0;

  template <typename T = float>
  const T* at(int64_t b, int64_t head) const {
    return values.values<T>().data() + b * batch_stride + head * head_stride;
  }

  void narrow() { values = from_f32(values, DType::bf16); }
};

Heads as_heads(const Tensor& tensor, int64_t heads) {
  const Shape& s = tensor.shape();
  Heads h{.values = to_f32(tensor)};
  if (s.size() == 4) {
    h.batch = s[0], h.heads = s[1], h.rows = s[2], h.size = s[3];
    h.row_stride = h.size, h.head_stride = h.rows * h.size, h.batch_stride = h.heads * h.head_stride;
    return h;
  }
  if (s.size() != 3 || heads <= 0 || s[2] % heads != 0) {
    throw Error(Kind::input,
                "shape {} with {} heads, expected [batch, heads, rows, size] or [batch, rows, heads * size]",
                to_string(s), heads);
  }
  h.batch = s[0], h.heads = heads, h.rows = s[1], h.size = s[2] / heads;
  h.head_stride = h.size, h.row_stride = s[2], h.batch_stride = h.rows * h.row_stride;
  return h;
}

/// Keys or values of the past and of now as [batch, heads, rows, size].
Tensor join_past(const Heads& now, const Tensor* past) {
  const Heads before =
      past == nullptr ? Heads{.batch = now.batch, .heads = now.heads, .size = now.size} : as_heads(*past, now.heads);
  if (before.batch != now.batch || before.heads != now.heads || before.size != now.size) {
    throw Error(Kind::input, "past of shape {}, expected [{},{},past,{}]", to_string(past->shape()), now.batch,
                now.heads, now.size);
  }
  Tensor out = Tensor::uninitialized(DType::f32, {now.batch, now.heads, before.rows + now.rows, now.size});
  float* to = out.mutable_values<float>().data();
  for (int64_t i = 0; i < now.batch * now.heads; ++i) {
    if (before.rows > 0) {
      to = std::copy_n(before.at(i / now.heads, i % now.heads), before.rows * now.size, to);
    }
    for (int64_t row = 0; row < now.rows; ++row) {
      to = std::copy_n(now.at(i / now.heads, i % now.heads) + row * now.row_stride, now.size, to);
    }
  }
  return out;
}

/// What is added to the scores, [batch, heads, queries, keys] with broadcasting; keys past its last are not attended
/// to.
class Mask {
 public:
  Mask() = default;
  explicit Mask(const Tensor& tensor) {
    values_ = tensor.dtype() == DType::boolean
                  ? apply_unary<bool, float>(tensor, [](bool keep) { return keep ? 0.0F : kMinusInfinity; })
                  : to_f32(tensor);
    Shape shape = tensor.shape();
    if (shape.size() > 4 || shape.empty()) {
      throw Error(Kind::input, "mask of shape {}, expected [batch, heads, queries, keys]", to_string(shape));
    }
    shape.insert(shape.begin(), 4 - shape.size(), 1);
    shape_ = shape;
  }

  void check(int64_t batch, int64_t heads, int64_t queries, int64_t keys) const {
    const auto fits = [&](size_t axis, int64_t size) { return shape_[axis] == 1 || shape_[axis] == size; };
    const bool is_good = is_empty() || (fits(0, batch) && fits(1, heads) && fits(2, queries) && shape_[3] <= keys);
    if (!is_good) {
      throw Error(Kind::input, "mask of shape {} for scores of shape [{},{},{},{}]", to_string(shape_), batch, heads,
                  queries, keys);
    }
  }

  bool is_empty() const { return values_.empty(); }

  void add(int64_t b, int64_t head, int64_t query, float* scores, int64_t keys) const {
    const int64_t row = (pick(0, b) * shape_[1] + pick(1, head)) * shape_[2] + pick(2, query);
    const float* mask = values_.values<float>().data() + row * shape_[3];
    if (shape_[3] == 1 && keys > 1) {
      std::transform(scores, scores + keys, scores, [&](float score) { return score + mask[0]; });
      return;
    }
    const int64_t given = std::min(keys, shape_[3]);
    std::transform(scores, scores + given, mask, scores, std::plus<>());
    std::transform(scores + given, scores + keys, scores + given, [](float score) { return score + kMinusInfinity; });
  }

 private:
  int64_t pick(size_t axis, int64_t index) const { return shape_[axis] == 1 ? 0 : index; }
  Tensor values_;
  Shape shape_;
};

/// Which stage of the scores the fourth output holds.
enum class Stage { product, masked, capped, softmax };

struct Attention {
  Heads q, k, v;
  bool is_narrow = false;  ///< all three are bf16
  Mask mask;
  float scale = 1, softcap = 0;
  bool is_causal = false;
  int64_t past_rows = 0;
  std::vector<int64_t> key_counts;  ///< by batch: keys that are no padding; empty: all
  Stage kept_stage = Stage::product;
  float* kept_scores = nullptr;  ///< [batch, heads, queries, keys] or null
  float* out = nullptr;
  int64_t out_batch_stride = 0, out_head_stride = 0, out_row_stride = 0;

  /// Keys that any of the queries before `end` may see.
  int64_t visible_keys(int64_t end) const {
    return is_causal && kept_scores == nullptr ? std::min(k.rows, past_rows + end) : k.rows;
  }

  int64_t seen_keys(int64_t b, int64_t query) const {
    const int64_t given = key_counts.empty() ? k.rows : key_counts[static_cast<size_t>(b)];
    return is_causal ? std::min(given, past_rows + query + 1) : given;
  }

  void keep(Stage stage, int64_t b, int64_t head, int64_t query, const float* scores, int64_t keys) const {
    if (kept_scores != nullptr && kept_stage == stage) {
      std::copy_n(scores, keys, kept_scores + ((b * q.heads + head) * q.rows + query) * k.rows);
    }
  }

  /// From products to exponentials; gives the factor that makes them weights. A query that may see nothing gets zeros,
  /// not NaN.
  float finish_row(int64_t b, int64_t head, int64_t query, float* scores, int64_t keys) const {
    const int64_t seen = std::min(seen_keys(b, query), keys);
    const int64_t counted = kept_scores == nullptr && softcap == 0 ? seen : keys;
    for (int64_t i = 0; i < counted; ++i) {
      scores[i] *= scale;
    }
    keep(Stage::product, b, head, query, scores, keys);
    if (!mask.is_empty()) {
      mask.add(b, head, query, scores, counted);
    }
    std::fill(scores + seen, scores + counted, kMinusInfinity);
    keep(Stage::masked, b, head, query, scores, keys);
    if (softcap > 0) {
      for (int64_t i = 0; i < keys; ++i) {
        scores[i] /= softcap;
      }
      vector_tanh(scores, scores, keys);
      for (int64_t i = 0; i < keys; ++i) {
        scores[i] *= softcap;
      }
    }
    keep(Stage::capped, b, head, query, scores, keys);
    const float factor = exponentials(scores, counted, keys);
    if (kept_scores == nullptr || kept_stage != Stage::softmax) {
      return factor;
    }
    std::transform(scores, scores + keys, scores, [&](float score) { return score * factor; });
    keep(Stage::softmax, b, head, query, scores, keys);
    return 1;
  }

  /// Of the first `counted`, zeros behind them. Vectors are filled up, so that a row's sum has the same bits however
  /// many keys are behind it.
  static float exponentials(float* scores, int64_t counted, int64_t keys) {
    const float largest = counted == 0 ? kMinusInfinity : vector_max(scores, counted);
    if (largest == kMinusInfinity) {
      std::fill_n(scores, keys, 0.0F);
      return 1;
    }
    const int64_t end = std::min(keys, (counted + kSumStep - 1) / kSumStep * kSumStep);
    std::fill(scores + counted, scores + end, kMinusInfinity);
    std::fill(scores + end, scores + keys, 0.0F);
    return 1 / vector_exp_sum(scores, largest, scores, end);
  }

  /// Scores times a factor, as the product by values takes them.
  static void put_weights(const float* scores, float factor, BFloat16* weights, int64_t keys) {
    vector_to_bfloat16(scores, factor, weights, keys);
  }
  static void put_weights(const float* scores, float factor, float* weights, int64_t keys) {
    std::transform(scores, scores + keys, weights, [&](float score) { return score * factor; });
  }

  /// Queries [begin, end) of one head, which are T.
  template <typename T>
  void run(int64_t b, int64_t head, int64_t begin, int64_t end) const {
    const int64_t keys = visible_keys(end);
    const int64_t shared_head = head / (q.heads / k.heads);
    Tensor scores = Tensor::uninitialized(DType::f32, {end - begin, keys});
    float* rows = scores.mutable_values<float>().data();
    multiply(BasicProduct<T>{.m = end - begin,
                             .n = keys,
                             .k = q.size,
                             .a = q.at<T>(b, head) + begin * q.row_stride,
                             .lda = q.row_stride,
                             .b = k.at<T>(b, shared_head),
                             .ldb = k.row_stride,
                             .transpose_b = true,
                             .c = rows,
                             .ldc = keys});
    Tensor weights =
        kDTypeOf<T> == DType::f32 ? std::move(scores) : Tensor::uninitialized(kDTypeOf<T>, {end - begin, keys});
    T* to = weights.mutable_values<T>().data();
    for (int64_t query = begin; query < end; ++query) {
      float* row = rows + (query - begin) * keys;
      const float factor = finish_row(b, head, query, row, keys);
      put_weights(row, factor, to + (query - begin) * keys, keys);
    }
    multiply(BasicProduct<T>{.m = end - begin,
                             .n = v.size,
                             .k = keys,
                             .a = weights.values<T>().data(),
                             .lda = keys,
                             .b = v.at<T>(b, shared_head),
                             .ldb = v.row_stride,
                             .c = out + b * out_batch_stride + head * out_head_stride + begin * out_row_stride,
                             .ldc = out_row_stride});
  }

  void run_all() const {
    const int64_t pieces = (q.rows + kQueriesPerTask - 1) / kQueriesPerTask;
    parallel_for(q.batch * q.heads * pieces, [&](int64_t i) {
      const int64_t head = i / pieces;
      const int64_t begin = i % pieces * kQueriesPerTask;
      const int64_t end = std::min(q.rows, begin + kQueriesPerTask);
      if (is_narrow) {
        run<BFloat16>(head / q.heads, head % q.heads, begin, end);
      } else {
        run<float>(head / q.heads, head % q.heads, begin, end);
      }
    });
  }
};

void check(const Heads& q, const Heads& k, const Heads& v) {
  const bool fits = q.batch == k.batch && k.batch == v.batch && k.heads == v.heads && k.rows == v.rows &&
                    q.size == k.size && k.heads > 0 && q.heads % k.heads == 0;
  if (!fits) {
    throw Error(Kind::input, "queries [{},{},{},{}], keys [{},{},{},{}] and values [{},{},{},{}] do not fit", q.batch,
                q.heads, q.rows, q.size, k.batch, k.heads, k.rows, k.size, v.batch, v.heads, v.rows, v.size);
  }
}

Stage stage_of(int64_t mode) {
  if (mode < 0 || mode > 3) {
    throw Error(Kind::input, "qk_matmul_output_mode {}, expected 0 to 3", mode);
  }
  return static_cast<Stage>(mode);
}

Attention describe(const OpCall& call) {
  const Node& node = call.node;
  Attention a{.q = as_heads(call.input(0), node.get_int("q_num_heads", 0)),
              .k = as_heads(call.input(1), node.get_int("kv_num_heads", 0)),
              .v = as_heads(call.input(2), node.get_int("kv_num_heads", 0)),
              .softcap = node.get_float("softcap", 0),
              .is_causal = node.get_int("is_causal", 0) != 0,
              .kept_stage = stage_of(node.get_int("qk_matmul_output_mode", 0))};
  check(a.q, a.k, a.v);
  a.scale = node.get_float("scale", 1 / std::sqrt(static_cast<float>(a.q.size)));
  if (const Tensor* mask = call.find_input(3)) {
    a.mask = Mask(*mask);
  }
  if (const Tensor* counts = call.find_input(6)) {
    a.key_counts = to_int64s(*counts);
    if (std::ssize(a.key_counts) != a.q.batch || std::ranges::any_of(a.key_counts, [](int64_t n) { return n < 0; })) {
      throw Error(Kind::input, "nonpad_kv_seqlen of shape {}, expected {} counts", to_string(counts->shape()),
                  a.q.batch);
    }
  }
  return a;
}

/// From here on products are of bf16.
void narrow(Attention& a) {
  a.q.narrow();
  a.k.narrow();
  a.v.narrow();
  a.is_narrow = true;
}

void add_past(const OpCall& call, Attention& a) {
  const int64_t rows = a.k.rows;
  a.k = as_heads(join_past(a.k, call.find_input(4)), 0);
  a.v = as_heads(join_past(a.v, call.find_input(5)), 0);
  a.past_rows = a.k.rows - rows;
  check(a.q, a.k, a.v);
}

}  // namespace

/// Source: ONNX's Attention, opset 23, and nonpad_kv_seqlen of 24. Scores exist for 128 queries of a head at a time,
/// and under a causal mask only for keys that are seen.
std::vector<Tensor> attention(const OpCall& call) {
  Attention a = describe(call);
  if (call.find_input(4) != nullptr || call.node.output(1) != kNoValue || call.node.output(2) != kNoValue) {
    add_past(call, a);
  }
  a.mask.check(a.q.batch, a.q.heads, a.q.rows, a.k.rows);
  const bool is_flat = call.input(0).rank() == 3;
  const int64_t columns = a.q.heads * a.v.size;
  Tensor out = Tensor::uninitialized(
      DType::f32, is_flat ? Shape{a.q.batch, a.q.rows, columns} : Shape{a.q.batch, a.q.heads, a.q.rows, a.v.size});
  a.out = out.mutable_values<float>().data();
  a.out_batch_stride = a.q.rows * columns;
  a.out_head_stride = is_flat ? a.v.size : a.q.rows * a.v.size;
  a.out_row_stride = is_flat ? columns : a.v.size;
  Tensor kept;
  if (call.node.output(3) != kNoValue) {
    kept = Tensor::uninitialized(DType::f32, {a.q.batch, a.q.heads, a.q.rows, a.k.rows});
    a.kept_scores = kept.mutable_values<float>().data();
  }
  const Tensor keys = a.k.values, values = a.v.values;
  if (call.precision == Precision::bf16) {
    narrow(a);
  }
  a.run_all();
  const DType dtype = call.input(0).dtype();
  return {from_f32(out, dtype), from_f32(keys, dtype), from_f32(values, dtype),
          kept.empty() ? kept : from_f32(kept, dtype)};
}

}  // namespace terse::calibration::ops
