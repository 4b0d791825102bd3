#include <algorithm>
#include <numeric>
#include <utility>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

/// What is left of one dimension.
struct Range {
  int64_t first = 0, step = 1, count = 0;
};

/// Out-of-range bounds are clamped; a negative step walks down, and its end may lie before the first element.
Range get_range(int64_t start, int64_t end, int64_t step, int64_t size) {
  if (step == 0 || step == std::numeric_limits<int64_t>::min()) {
    throw Error(Kind::input, "a step of {}", step);
  }
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? size : size - 1;
  const auto from_front = [&](int64_t bound) { return std::clamp(bound < 0 ? bound + size : bound, low, high); };
  const int64_t first = std::max<int64_t>(from_front(start), 0);
  const int64_t distance = step > 0 ? from_front(end) - first : first - from_front(end);
  const int64_t stride = std::abs(step);
  return {first, step, distance <= 0 || size == 0 ? 0 : (distance - 1) / stride + 1};
}

std::vector<int64_t> list_of(const OpCall& call, size_t index, size_t size, int64_t otherwise) {
  const Tensor* given = call.find_input(index);
  std::vector<int64_t> list = given != nullptr ? to_int64s(*given) : std::vector<int64_t>(size, otherwise);
  if (list.size() != size) {
    throw Error(Kind::input, "input {} has {} entries, expected {}", index, list.size(), size);
  }
  return list;
}

std::vector<Range> get_ranges(const OpCall& call, const Shape& shape) {
  const auto starts = to_int64s(call.input(1));
  const auto ends = list_of(call, 2, starts.size(), 0);
  std::vector<int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), int64_t{0});
  if (call.find_input(3) != nullptr) {
    axes = list_of(call, 3, starts.size(), 0);
  }
  axes = get_axes(axes, static_cast<int64_t>(shape.size()));
  const auto steps = list_of(call, 4, starts.size(), 1);
  std::vector<Range> ranges;
  for (const int64_t size : shape) {
    ranges.push_back({.count = size});
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    ranges[axis] = get_range(starts[i], ends[i], steps[i], shape[axis]);
  }
  return ranges;
}

Tensor sliced(const Tensor& data, const std::vector<Range>& ranges) {
  const int64_t bytes = element_bytes(data);
  const Shape strides = row_major_strides(data.shape(), bytes);
  StridedCopy work{.from = data.bytes().data(), .element_bytes = bytes};
  for (size_t i = 0; i < ranges.size(); ++i) {
    const bool is_line = ranges[i].count > 1;  // a step past the end must not be multiplied
    work.shape.push_back(ranges[i].count);
    work.from_strides.push_back(is_line ? ranges[i].step * strides[i] : 0);
    work.from += ranges[i].count > 0 ? ranges[i].first * strides[i] : 0;
  }
  return copied(std::move(work), data.dtype());
}

}  // namespace

std::vector<Tensor> slice(const OpCall& call) {
  const auto ranges = get_ranges(call, call.input(0).shape());
  return {move_elements(call.input(0), [&](const Tensor& data) { return sliced(data, ranges); })};
}

}  // namespace terse::calibration::ops
