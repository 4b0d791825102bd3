#include "calibration/ops/elementwise.h"

namespace terse::calibration {
namespace {

/// The dimension `back` places from the last one; 1 if there is none.
int64_t dimension_from_back(const Shape& shape, size_t back) {
  return back < shape.size() ? shape[shape.size() - 1 - back] : 1;
}

}  // namespace

Shape broadcast_shape(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t back = 0; back < out.size(); ++back) {
    const int64_t x = dimension_from_back(a, back);
    const int64_t y = dimension_from_back(b, back);
    if (x != y && x != 1 && y != 1) {
      throw Error(Kind::input, "shapes {} and {} do not broadcast", to_string(a), to_string(b));
    }
    out[out.size() - 1 - back] = x == 1 ? y : x;
  }
  return out;
}

Broadcast::Broadcast(const Shape& a, const Shape& b, const Shape& out) {
  int64_t a_stride = 1;
  int64_t b_stride = 1;
  for (size_t back = 0; back < out.size(); ++back) {
    const int64_t size = dimension_from_back(out, back);
    const int64_t a_size = dimension_from_back(a, back);
    const int64_t b_size = dimension_from_back(b, back);
    const Axis axis{size, a_size == 1 ? 0 : a_stride, b_size == 1 ? 0 : b_stride};
    a_stride *= a_size;
    b_stride *= b_size;
    if (size == 1) {
      continue;
    }
    if (axes_.empty()) {
      axes_.push_back(axis);
      continue;
    }
    Axis& inner = axes_.back();
    if (axis.a_stride == inner.a_stride * inner.size && axis.b_stride == inner.b_stride * inner.size) {
      inner.size *= size;
    } else {
      axes_.push_back(axis);
    }
  }
  if (!axes_.empty()) {
    length_ = std::max(axes_[0].size, int64_t{1});
    a_step_ = axes_[0].a_stride;
    b_step_ = axes_[0].b_stride;
    axes_.erase(axes_.begin());
  }
}

Broadcast::Offsets Broadcast::offsets(int64_t run) const {
  Offsets at;
  for (const Axis& axis : axes_) {
    const int64_t index = run % axis.size;
    run /= axis.size;
    at.a += index * axis.a_stride;
    at.b += index * axis.b_stride;
  }
  return at;
}

DType common_dtype(const OpCall& call, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) {
    throw Error(Kind::input, "{} of {} and {}, expected one type", call.node.op_type, name(a.dtype()), name(b.dtype()));
  }
  return a.dtype();
}

void throw_unsupported_dtype(const OpCall& call, DType dtype) {
  throw Error(Kind::unsupported, "{} of element type {}", call.node.op_type, name(dtype));
}

}  // namespace terse::calibration
