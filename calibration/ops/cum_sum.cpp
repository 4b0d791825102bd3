#include "calibration/ops/lines.h"
#include "calibration/ops/op.h"
#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

struct Direction {
  bool exclusive = false;  ///< an element is not in its own sum
  bool reverse = false;
};

/// Integers wrap around.
template <typename T>
T add(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <typename T>
void sum_lines(const Tensor& in, Tensor& out, const Lines& lines, Direction direction) {
  const T* from = in.values<T>().data();
  T* to = out.mutable_values<T>().data();
  parallel_ranges(lines.count, lines.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const int64_t start = lines.start(line);
      T sum = 0;
      for (int64_t i = 0; i < lines.length; ++i) {
        const int64_t at = start + (direction.reverse ? lines.length - 1 - i : i) * lines.stride;
        to[at] = sum;
        sum = add(sum, from[at]);
        to[at] = direction.exclusive ? to[at] : sum;
      }
    }
  });
}

Tensor sums(const Tensor& in, const Lines& lines, Direction direction) {
  Tensor out = Tensor::uninitialized(in.dtype(), in.shape());
  const bool known = dispatch(in.dtype(), [&]<typename T>() {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      sum_lines<T>(in, out, lines, direction);
    }
  });
  if (!known || in.dtype() == DType::boolean) {
    throw Error(Kind::unsupported, "element type {}", name(in.dtype()));
  }
  return out;
}

}  // namespace

std::vector<Tensor> cum_sum(const OpCall& call) {
  const Tensor& data = call.input(0);
  const auto axis = to_int64s(call.input(1));
  if (axis.size() != 1) {
    throw Error(Kind::input, "{} axes, expected 1", axis.size());
  }
  const Lines lines(data.shape(), get_axis(axis[0], data.rank()));
  const Direction direction{.exclusive = call.node.get_int("exclusive", 0) != 0,
                            .reverse = call.node.get_int("reverse", 0) != 0};
  if (data.dtype() == DType::f16 || data.dtype() == DType::bf16) {
    return {from_f32(sums(to_f32(data), lines, direction), data.dtype())};
  }
  return {sums(data, lines, direction)};
}

}  // namespace terse::calibration::ops
