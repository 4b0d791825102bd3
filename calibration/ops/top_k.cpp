#include <algorithm>
#include <numeric>

#include "calibration/ops/lines.h"
#include "calibration/ops/op.h"
#include "calibration/parallel.h"
#include "formats/error.h"

// TopK, ArgMax, ArgMin and Hardmax. Of equal elements the one with the lower index comes first.

namespace terse::calibration::ops {
namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

int64_t get_k(const Tensor& tensor, int64_t length) {
  const auto k = to_int64s(tensor);
  if (k.size() != 1 || k[0] < 0 || k[0] > length) {
    throw Error(Kind::input, "k is {}, expected one number up to {}", to_string(k), length);
  }
  return k[0];
}

enum class Order : uint8_t { largest, smallest };

template <typename T>
void find_top(const T* line, const Lines& lines, Order order, int64_t k, std::vector<int64_t>& positions) {
  std::iota(positions.begin(), positions.end(), int64_t{0});
  const auto before = [&](int64_t a, int64_t b) {
    const T x = line[a * lines.stride];
    const T y = line[b * lines.stride];
    const bool first = order == Order::largest ? is_less(y, x) : is_less(x, y);
    const bool second = order == Order::largest ? is_less(x, y) : is_less(y, x);
    return first || (!second && a < b);
  };
  std::partial_sort(positions.begin(), positions.begin() + k, positions.end(), before);
}

template <typename T>
void top_k_of(const Tensor& data, int64_t axis, Order order, Tensor& values, Tensor& indices) {
  const Lines in(data.shape(), axis);
  const Lines out(values.shape(), axis);
  const T* from = data.values<T>().data();
  parallel_ranges(in.count, in.grain(), [&](int64_t begin, int64_t end) {
    std::vector<int64_t> positions(at(in.length));
    for (int64_t line = begin; line < end; ++line) {
      find_top(from + in.start(line), in, order, out.length, positions);
      for (int64_t i = 0; i < out.length; ++i) {
        const int64_t to = out.start(line) + i * out.stride;
        values.mutable_values<T>()[at(to)] = from[in.start(line) + positions[at(i)] * in.stride];
        indices.mutable_values<int64_t>()[at(to)] = positions[at(i)];
      }
    }
  });
}

enum class Ties : uint8_t { first, last };

template <typename T>
int64_t find_extreme(const T* line, const Lines& lines, Order order, Ties ties) {
  int64_t best = 0;
  for (int64_t i = 1; i < lines.length; ++i) {
    const T value = line[i * lines.stride];
    const T champion = line[best * lines.stride];
    const bool better = order == Order::largest ? is_less(champion, value) : is_less(value, champion);
    const bool worse = order == Order::largest ? is_less(value, champion) : is_less(champion, value);
    if (better || (ties == Ties::last && !worse)) {
      best = i;
    }
  }
  return best;
}

/// The number one.
template <typename T>
T one() {
  if constexpr (std::is_same_v<T, Half>) {
    return to_half(1);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(1);
  } else {
    return T{1};
  }
}

std::vector<Tensor> arg_extreme(const OpCall& call, Order order) {
  const Tensor& data = call.input(0);
  const int64_t axis = get_axis(call.node.get_int("axis", 0), data.rank());
  const Lines lines(data.shape(), axis);
  if (lines.length == 0) {
    throw Error(Kind::input, "{} of an empty dimension", call.node.op_type);
  }
  const Ties ties = call.node.get_int("select_last_index", 0) != 0 ? Ties::last : Ties::first;
  Shape shape = data.shape();
  shape[at(axis)] = 1;
  Tensor out = Tensor::uninitialized(DType::i64, shape);
  const bool known = dispatch(data.dtype(), [&]<typename T>() {
    parallel_ranges(lines.count, lines.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        out.mutable_values<int64_t>()[at(line)] =
            find_extreme(data.values<T>().data() + lines.start(line), lines, order, ties);
      }
    });
  });
  if (!known) {
    throw Error(Kind::unsupported, "element type {}", name(data.dtype()));
  }
  if (call.node.get_int("keepdims", 1) == 0) {
    shape.erase(shape.begin() + axis);
  }
  return {out.reshaped(shape)};
}

}  // namespace

std::vector<Tensor> top_k(const OpCall& call) {
  const Tensor& data = call.input(0);
  const int64_t axis = get_axis(call.node.get_int("axis", -1), data.rank());
  Shape shape = data.shape();
  shape[at(axis)] = get_k(call.input(1), shape[at(axis)]);
  const Order order = call.node.get_int("largest", 1) != 0 ? Order::largest : Order::smallest;
  Tensor values = Tensor::uninitialized(data.dtype(), shape);
  Tensor indices = Tensor::uninitialized(DType::i64, shape);
  if (!dispatch(data.dtype(), [&]<typename T>() { top_k_of<T>(data, axis, order, values, indices); })) {
    throw Error(Kind::unsupported, "element type {}", name(data.dtype()));
  }
  return {values, indices};
}

/// One at the first largest element of every line, zero elsewhere.
std::vector<Tensor> hardmax(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Lines lines(data.shape(), get_axis(call.node.get_int("axis", -1), data.rank()));
  if (!is_float(data.dtype())) {
    throw Error(Kind::unsupported, "element type {}", name(data.dtype()));
  }
  Tensor out = Tensor::make(data.dtype(), data.shape());
  dispatch(data.dtype(), [&]<typename T>() {
    const T* from = data.values<T>().data();
    parallel_ranges(lines.length == 0 ? 0 : lines.count, lines.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t start = lines.start(line);
        const int64_t best = find_extreme(from + start, lines, Order::largest, Ties::first);
        out.mutable_values<T>()[at(start + best * lines.stride)] = one<T>();
      }
    });
  });
  return {out};
}

std::vector<Tensor> arg_max(const OpCall& call) { return arg_extreme(call, Order::largest); }
std::vector<Tensor> arg_min(const OpCall& call) { return arg_extreme(call, Order::smallest); }

}  // namespace terse::calibration::ops
