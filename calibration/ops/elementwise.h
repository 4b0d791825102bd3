#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "calibration/ops/op.h"
#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {

/// Elements that one task computes: enough to hide what a task costs, small enough to share one layer's work.
inline constexpr int64_t kElementsPerTask = 16384;

/// The shape that both broadcast to, as in ONNX and numpy. Error input if there is none.
Shape broadcast_shape(const Shape& a, const Shape& b);

/// How the elements of two operands meet: `runs` stretches of `length` elements of the result; within one an operand
/// either advances with the result (step 1) or stays (step 0).
class Broadcast {
 public:
  Broadcast(const Shape& a, const Shape& b, const Shape& out);
  int64_t length() const { return length_; }
  int64_t a_step() const { return a_step_; }
  int64_t b_step() const { return b_step_; }
  struct Offsets {
    int64_t a = 0, b = 0;
  };
  Offsets offsets(int64_t run) const;

 private:
  struct Axis {
    int64_t size, a_stride, b_stride;
  };
  std::vector<Axis> axes_;  ///< outer ones, innermost first
  int64_t length_ = 1, a_step_ = 0, b_step_ = 0;
};

/// out[i] = f(a[i], b[i]) for a stretch; written out for each pair of steps so that compilers vectorise it.
template <typename In, typename Out, typename F>
void apply_run(const In* a, int64_t a_step, const In* b, int64_t b_step, Out* out, int64_t count, F f) {
  if (a_step != 0 && b_step != 0) {
    for (int64_t i = 0; i < count; ++i) {
      out[i] = f(a[i], b[i]);
    }
  } else if (a_step != 0) {
    const In y = *b;
    for (int64_t i = 0; i < count; ++i) {
      out[i] = f(a[i], y);
    }
  } else if (b_step != 0) {
    const In x = *a;
    for (int64_t i = 0; i < count; ++i) {
      out[i] = f(x, b[i]);
    }
  } else {
    std::fill_n(out, count, f(*a, *b));
  }
}

/// f over two tensors of element type In with broadcasting, in parallel.
template <typename In, typename Out, typename F>
Tensor apply_binary(const Tensor& a, const Tensor& b, F f) {
  Tensor out = Tensor::uninitialized(kDTypeOf<Out>, broadcast_shape(a.shape(), b.shape()));
  const Broadcast broadcast(a.shape(), b.shape(), out.shape());
  const In* a_data = a.values<In>().data();
  const In* b_data = b.values<In>().data();
  Out* out_data = out.mutable_values<Out>().data();
  parallel_ranges(out.count(), kElementsPerTask, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t inside = begin % broadcast.length();
      const int64_t count = std::min(end - begin, broadcast.length() - inside);
      const auto at = broadcast.offsets(begin / broadcast.length());
      apply_run(a_data + at.a + inside * broadcast.a_step(), broadcast.a_step(),
                b_data + at.b + inside * broadcast.b_step(), broadcast.b_step(), out_data + begin, count, f);
      begin += count;
    }
  });
  return out;
}

/// f over one tensor of element type In, in parallel.
template <typename In, typename Out, typename F>
Tensor apply_unary(const Tensor& a, F f) {
  Tensor out = Tensor::uninitialized(kDTypeOf<Out>, a.shape());
  const In* in = a.values<In>().data();
  Out* result = out.mutable_values<Out>().data();
  parallel_ranges(out.count(), kElementsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      result[i] = f(in[i]);
    }
  });
  return out;
}

/// Both inputs' element type. Error input if they differ.
DType common_dtype(const OpCall& call, const Tensor& a, const Tensor& b);

/// Error unsupported that names operator and type.
[[noreturn]] void throw_unsupported_dtype(const OpCall& call, DType dtype);

inline bool is_half(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

/// Calls body.operator()<T>() for the type's arithmetic: f16 and bf16 must be converted to f32 before.
template <typename Body>
void dispatch_number(const OpCall& call, DType dtype, Body&& body) {
  const bool is_known = dispatch(dtype, [&]<typename T>() {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      body.template operator()<T>();
    } else {
      throw_unsupported_dtype(call, dtype);
    }
  });
  if (!is_known) {
    throw_unsupported_dtype(call, dtype);
  }
}

/// out = f(a, b) of the inputs' type; f is called with two numbers of one type.
template <typename F>
Tensor arithmetic(const OpCall& call, const Tensor& a, const Tensor& b, F f) {
  const DType dtype = common_dtype(call, a, b);
  if (is_half(dtype)) {
    return from_f32(apply_binary<float, float>(to_f32(a), to_f32(b), f), dtype);
  }
  Tensor out;
  dispatch_number(call, dtype, [&]<typename T>() { out = apply_binary<T, T>(a, b, f); });
  return out;
}

/// out = f(a) of the input's type, for floats.
template <typename F>
Tensor float_map(const OpCall& call, const Tensor& a, F f) {
  if (a.dtype() == DType::f64) {
    return apply_unary<double, double>(a, f);
  }
  if (!is_float(a.dtype())) {
    throw_unsupported_dtype(call, a.dtype());
  }
  return from_f32(apply_unary<float, float>(to_f32(a), f), a.dtype());
}

}  // namespace terse::calibration
