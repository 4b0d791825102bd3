#include <cmath>
#include <limits>
#include <numeric>
#include <ranges>

#include "calibration/ops/axes.h"
#include "calibration/ops/elementwise.h"
#include "calibration/ops/vector_math.h"

namespace terse::calibration::ops {
namespace {

// A reduction: the value of nothing, one step, what becomes of the result. A is double for floats, int64_t for
// integers, whose sums wrap around. `row`, where there is one, is the fast form for contiguous f32.

template <typename A>
A plus(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <typename A>
A times(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}

template <typename A>
bool is_nan(A value) {
  if constexpr (std::is_floating_point_v<A>) {
    return std::isnan(value);
  } else {
    return false;
  }
}

template <typename A>
A lowest() {
  return std::is_integral_v<A> ? std::numeric_limits<A>::lowest() : -std::numeric_limits<A>::infinity();
}

struct Additive {
  template <typename A>
  static A start() {
    return 0;
  }
  template <typename A>
  static A step(A sum, A x) {
    return plus(sum, x);
  }
  template <typename A>
  static A finish(A sum, int64_t) {
    return sum;
  }
};

struct Sum : Additive {
  static float row(const float* in, int64_t count) { return vector_sum(in, count); }
};

struct Mean : Additive {
  template <typename A>
  static A finish(A sum, int64_t count) {
    if constexpr (std::is_integral_v<A>) {
      return count == 0 ? 0 : sum / count;
    } else {
      return sum / static_cast<A>(count);
    }
  }
  static float row(const float* in, int64_t count) { return vector_sum(in, count) / static_cast<float>(count); }
};

struct Max : Additive {
  template <typename A>
  static A start() {
    return lowest<A>();
  }
  template <typename A>
  static A step(A best, A x) {
    return is_nan(best) || best > x ? best : x;
  }
  static float row(const float* in, int64_t count) { return count == 0 ? lowest<float>() : vector_max(in, count); }
};

struct Min : Additive {
  template <typename A>
  static A start() {
    return std::is_integral_v<A> ? std::numeric_limits<A>::max() : std::numeric_limits<A>::infinity();
  }
  template <typename A>
  static A step(A best, A x) {
    return is_nan(best) || best < x ? best : x;
  }
};

struct Prod : Additive {
  template <typename A>
  static A start() {
    return 1;
  }
  template <typename A>
  static A step(A product, A x) {
    return times(product, x);
  }
};

struct L1 : Additive {
  template <typename A>
  static A step(A sum, A x) {
    return plus(sum, x < 0 ? times(A{-1}, x) : x);
  }
};

struct SumSquare : Additive {
  template <typename A>
  static A step(A sum, A x) {
    return plus(sum, times(x, x));
  }
};

struct L2 : SumSquare {
  template <typename A>
  static A finish(A sum, int64_t) {
    return static_cast<A>(std::sqrt(static_cast<double>(sum)));
  }
};

struct LogSum : Additive {
  template <typename A>
  static A finish(A sum, int64_t) {
    return static_cast<A>(std::log(static_cast<double>(sum)));
  }
};

/// One axis (or several that lie together) with the distance of its elements.
struct Axis {
  int64_t size, stride;
};

int64_t count_of(const std::vector<Axis>& axes) {
  return std::accumulate(axes.begin(), axes.end(), int64_t{1}, [](int64_t n, const Axis& a) { return n * a.size; });
}

int64_t offset_of(const std::vector<Axis>& axes, int64_t index) {
  int64_t offset = 0;
  for (const Axis& axis : axes | std::views::reverse) {
    offset += index % axis.size * axis.stride;
    index /= axis.size;
  }
  return offset;
}

/// Which axes go, and the shape that stays.
struct Split {
  std::vector<Axis> kept, reduced;
  Shape shape;
};

/// The axes to reduce: none given means all, or (noop_with_empty_axes) none.
std::vector<bool> reduced_axes(const OpCall& call, int64_t rank) {
  const Tensor* axes = call.find_input(1);
  const bool is_given = axes != nullptr && axes->count() > 0;
  std::vector<bool> reduced(static_cast<size_t>(rank), !is_given && call.node.get_int("noop_with_empty_axes", 0) == 0);
  if (is_given) {
    for (const int64_t axis : to_int64s(*axes)) {
      reduced[static_cast<size_t>(resolve_axis(axis, rank))] = true;
    }
  }
  return reduced;
}

/// Neighbouring axes of one kind are merged, so that reducing the last axes is one stretch.
Split split(const OpCall& call, const Shape& shape) {
  const std::vector<bool> reduced = reduced_axes(call, static_cast<int64_t>(shape.size()));
  const bool keeps = call.node.get_int("keepdims", 1) != 0;
  Split result;
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    auto& axes = reduced[i] ? result.reduced : result.kept;
    if (!axes.empty() && axes.front().stride * axes.front().size == stride) {
      axes.front().size *= shape[i];
    } else {
      axes.insert(axes.begin(), {shape[i], stride});
    }
    if (!reduced[i] || keeps) {
      result.shape.insert(result.shape.begin(), reduced[i] ? 1 : shape[i]);
    }
    stride *= shape[i];
  }
  return result;
}

template <typename Op, typename T>
T reduce_one(const T* in, const std::vector<Axis>& axes, int64_t count) {
  using A = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
  A total = Op::template start<A>();
  for (int64_t i = 0; i < count; ++i) {
    total = Op::template step<A>(total, static_cast<A>(in[offset_of(axes, i)]));
  }
  return static_cast<T>(Op::template finish<A>(total, count));
}

template <typename Op, typename T>
Tensor reduce_all(const Tensor& x, const Split& parts) {
  Tensor out = Tensor::uninitialized(x.dtype(), parts.shape);
  const T* in = x.values<T>().data();
  T* result = out.mutable_values<T>().data();
  const int64_t count = count_of(parts.reduced);
  const bool is_row = parts.reduced.size() == 1 && parts.reduced[0].stride == 1;
  const int64_t per_task = std::max(int64_t{1}, kElementsPerTask / std::max(count, int64_t{1}));
  parallel_ranges(out.count(), per_task, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* first = in + offset_of(parts.kept, i);
      if constexpr (std::is_same_v<T, float> && requires { &Op::row; }) {
        if (is_row) {
          result[i] = Op::row(first, count);
          continue;
        }
      }
      result[i] = reduce_one<Op>(first, parts.reduced, count);
    }
  });
  return out;
}

template <typename Op>
std::vector<Tensor> reduce(const OpCall& call) {
  const Tensor& x = call.input(0);
  const Split parts = split(call, x.shape());
  if (is_half(x.dtype())) {
    return {from_f32(reduce_all<Op, float>(to_f32(x), parts), x.dtype())};
  }
  Tensor out;
  dispatch_number(call, x.dtype(), [&]<typename T>() { out = reduce_all<Op, T>(x, parts); });
  return {out};
}

/// ReduceMax and ReduceMin of bool are "any" and "all": the bytes are 0 and 1.
template <typename Op>
std::vector<Tensor> reduce_or_bool(const OpCall& call) {
  const Tensor& x = call.input(0);
  if (x.dtype() != DType::boolean) {
    return reduce<Op>(call);
  }
  Tensor bytes = Tensor::uninitialized(DType::u8, x.shape());
  std::copy(x.values<bool>().begin(), x.values<bool>().end(), bytes.mutable_values<uint8_t>().begin());
  const Tensor reduced = reduce_all<Op, uint8_t>(bytes, split(call, x.shape()));
  return {apply_unary<uint8_t, bool>(reduced, [](uint8_t value) { return value == 1; })};
}

}  // namespace

std::vector<Tensor> reduce_l1(const OpCall& call) { return reduce<L1>(call); }
std::vector<Tensor> reduce_l2(const OpCall& call) { return reduce<L2>(call); }
std::vector<Tensor> reduce_log_sum(const OpCall& call) { return reduce<LogSum>(call); }
/// The largest element is taken out first, so that nothing overflows.
std::vector<Tensor> reduce_log_sum_exp(const OpCall& call) {
  const Tensor& x = call.input(0);
  if (!is_float(x.dtype())) {
    throw_unsupported_dtype(call, x.dtype());
  }
  Split parts = split(call, x.shape());
  const Shape shape = std::move(parts.shape);
  parts.shape = x.shape();
  const std::vector<bool> reduced = reduced_axes(call, x.rank());
  for (size_t i = 0; i < reduced.size(); ++i) {
    parts.shape[i] = reduced[i] ? 1 : parts.shape[i];
  }
  const Tensor in = x.dtype() == DType::f64 ? x : to_f32(x);
  const auto compute = [&]<typename T>() {
    const Tensor largest =
        apply_unary<T, T>(reduce_all<Max, T>(in, parts), [](T m) { return std::isfinite(m) ? m : T{0}; });
    const Tensor exps = apply_binary<T, T>(in, largest, [](T a, T m) { return std::exp(a - m); });
    return apply_binary<T, T>(reduce_all<Sum, T>(exps, parts), largest, [](T s, T m) { return std::log(s) + m; });
  };
  const Tensor out = in.dtype() == DType::f64 ? compute.template operator()<double>()
                                              : from_f32(compute.template operator()<float>(), x.dtype());
  return {out.reshaped(shape)};
}
std::vector<Tensor> reduce_max(const OpCall& call) { return reduce_or_bool<Max>(call); }
std::vector<Tensor> reduce_mean(const OpCall& call) { return reduce<Mean>(call); }
std::vector<Tensor> reduce_min(const OpCall& call) { return reduce_or_bool<Min>(call); }
std::vector<Tensor> reduce_prod(const OpCall& call) { return reduce<Prod>(call); }
std::vector<Tensor> reduce_sum(const OpCall& call) { return reduce<Sum>(call); }
std::vector<Tensor> reduce_sum_square(const OpCall& call) { return reduce<SumSquare>(call); }

}  // namespace terse::calibration::ops
