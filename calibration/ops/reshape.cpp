#include <algorithm>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "formats/error.h"

// Operators that give the same bytes another shape: nothing is copied.

namespace terse::calibration::ops {
namespace {

/// Fills in the one dimension that is -1.
void infer_dimension(Shape& shape, int64_t count) {
  const auto unknown = std::find(shape.begin(), shape.end(), -1);
  if (unknown == shape.end()) {
    return;
  }
  *unknown = 1;
  const auto known = checked_count(shape);
  if (!known || *known == 0 || count % *known != 0) {
    *unknown = -1;
    throw Error(Kind::input, "{} elements do not fit shape {}", count, to_string(shape));
  }
  *unknown = count / *known;
}

}  // namespace

std::vector<Tensor> identity(const OpCall& call) { return {call.input(0)}; }

std::vector<Tensor> reshape(const OpCall& call) {
  const Tensor& data = call.input(0);
  Shape shape = to_int64s(call.input(1));
  if (call.node.get_int("allowzero", 0) == 0) {
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0 && i >= data.shape().size()) {
        throw Error(Kind::input, "shape {} copies dimension {} of a tensor of rank {}", to_string(shape), i,
                    data.rank());
      }
      shape[i] = shape[i] == 0 ? data.shape()[i] : shape[i];
    }
  }
  infer_dimension(shape, data.count());
  return {data.reshaped(std::move(shape))};
}

std::vector<Tensor> flatten(const OpCall& call) {
  const Tensor& data = call.input(0);
  const int64_t given = call.node.get_int("axis", 1);
  const int64_t axis = given == data.rank() ? given : get_axis(given, data.rank());
  return {data.reshaped({product(data.shape(), 0, axis), product(data.shape(), axis, data.rank())})};
}

std::vector<Tensor> squeeze(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor* given = call.find_input(1);
  const auto axes = get_axes(given != nullptr ? to_int64s(*given) : std::vector<int64_t>{}, data.rank());
  Shape shape;
  for (int64_t i = 0; i < data.rank(); ++i) {
    const int64_t size = data.shape()[static_cast<size_t>(i)];
    const bool is_named = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (is_named && size != 1) {
      throw Error(Kind::input, "dimension {} is {}, expected 1", i, size);
    }
    if (!is_named && (given != nullptr || size != 1)) {
      shape.push_back(size);
    }
  }
  return {data.reshaped(std::move(shape))};
}

std::vector<Tensor> unsqueeze(const OpCall& call) {
  const Tensor& data = call.input(0);
  const auto given = to_int64s(call.input(1));
  const int64_t rank = data.rank() + static_cast<int64_t>(given.size());
  const auto axes = get_axes(given, rank);
  Shape shape;
  auto next = data.shape().begin();
  for (int64_t i = 0; i < rank; ++i) {
    shape.push_back(std::find(axes.begin(), axes.end(), i) != axes.end() ? 1 : *next++);
  }
  return {data.reshaped(std::move(shape))};
}

/// As in inference: nothing is dropped, and the mask says so.
std::vector<Tensor> dropout(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor* training = call.find_input(2);
  if (training != nullptr && training->dtype() == DType::boolean && training->count() == 1 &&
      training->values<bool>()[0]) {
    throw Error(Kind::unsupported, "Dropout in training mode");
  }
  if (call.node.output(1) == kNoValue) {
    return {data};
  }
  Tensor mask = Tensor::uninitialized(DType::boolean, data.shape());
  std::ranges::fill(mask.mutable_values<bool>(), true);
  return {data, mask};
}

}  // namespace terse::calibration::ops
