#include "calibration/ops/arguments.h"
#include "calibration/ops/elementwise.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

Tensor expanded(const Tensor& data, const Shape& shape) {
  const int64_t bytes = element_bytes(data);
  Tensor out = make_output(data.dtype(), shape);
  const Shape strides = row_major_strides(data.shape(), bytes);
  Shape from_strides(shape.size());
  for (size_t i = 1; i <= strides.size(); ++i) {
    from_strides[shape.size() - i] = data.shape()[strides.size() - i] == 1 ? 0 : strides[strides.size() - i];
  }
  copy({.shape = shape,
        .from = data.bytes().data(),
        .from_strides = from_strides,
        .to = out.mutable_bytes().data(),
        .to_strides = row_major_strides(shape, bytes),
        .element_bytes = bytes});
  return out;
}

Tensor tiled(const Tensor& data, const std::vector<int64_t>& repeats) {
  const int64_t bytes = element_bytes(data);
  const Shape strides = row_major_strides(data.shape(), bytes);
  Shape shape = data.shape();
  StridedCopy work{.from = data.bytes().data(), .element_bytes = bytes};
  for (size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0 || !checked_count(Shape{shape[i], repeats[i]})) {
      throw Error(Kind::input, "repeats {} of a tensor of shape {}", to_string(repeats), to_string(data.shape()));
    }
    work.shape.insert(work.shape.end(), {repeats[i], shape[i]});
    work.from_strides.insert(work.from_strides.end(), {0, strides[i]});
    shape[i] *= repeats[i];
  }
  Tensor out = make_output(data.dtype(), shape);
  work.to = out.mutable_bytes().data();
  work.to_strides = row_major_strides(work.shape, bytes);
  copy(work);
  return out;
}

}  // namespace

std::vector<Tensor> expand(const OpCall& call) {
  const Shape shape = broadcast_shape(call.input(0).shape(), to_int64s(call.input(1)));
  if (shape == call.input(0).shape()) {
    return {call.input(0)};
  }
  return {move_elements(call.input(0), [&](const Tensor& data) { return expanded(data, shape); })};
}

std::vector<Tensor> tile(const OpCall& call) {
  const auto repeats = to_int64s(call.input(1));
  if (static_cast<int64_t>(repeats.size()) != call.input(0).rank()) {
    throw Error(Kind::input, "{} repeats of a tensor of rank {}", repeats.size(), call.input(0).rank());
  }
  return {move_elements(call.input(0), [&](const Tensor& data) { return tiled(data, repeats); })};
}

}  // namespace terse::calibration::ops
