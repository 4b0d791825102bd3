#include <algorithm>
#include <array>
#include <numeric>

#include "calibration/ops/arguments.h"
#include "calibration/ops/gather.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

struct Pads {
  std::vector<int64_t> before, after;  ///< one an axis; negative ones cut off
};

constexpr int64_t kLargestPad = int64_t{1} << 58;

Pads get_pads(const OpCall& call, int64_t rank) {
  const auto given = to_int64s(call.input(1));
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), int64_t{0});
  if (const Tensor* named = call.find_input(3)) {
    axes = get_axes(to_int64s(*named), rank);
  }
  if (given.size() != 2 * axes.size() ||
      std::ranges::any_of(given, [](int64_t pad) { return pad > kLargestPad || pad < -kLargestPad; })) {
    throw Error(Kind::input, "pads {} for {} axes", to_string(given), axes.size());
  }
  Pads pads{std::vector<int64_t>(static_cast<size_t>(rank)), std::vector<int64_t>(static_cast<size_t>(rank))};
  for (size_t i = 0; i < axes.size(); ++i) {
    pads.before[static_cast<size_t>(axes[i])] = given[i];
    pads.after[static_cast<size_t>(axes[i])] = given[axes.size() + i];
  }
  return pads;
}

Shape padded_shape(const Shape& shape, const Pads& pads) {
  Shape result = shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    result[i] += pads.before[i] + pads.after[i];
  }
  if (!checked_count(result)) {
    throw Error(Kind::input, "a tensor of shape {} padded to {}", to_string(shape), to_string(result));
  }
  return result;
}

void fill(Tensor& out, const Tensor* value, int64_t bytes) {
  if (value == nullptr) {
    std::ranges::fill(out.mutable_bytes(), std::byte{0});
    return;
  }
  copy({.shape = {out.count()},
        .from = value->bytes().data(),
        .from_strides = {0},
        .to = out.mutable_bytes().data(),
        .to_strides = {bytes},
        .element_bytes = bytes});
}

Tensor pad_constant(const Tensor& data, const Pads& pads, const Tensor* value) {
  const int64_t bytes = element_bytes(data);
  Tensor out = make_output(data.dtype(), padded_shape(data.shape(), pads));
  fill(out, value, bytes);
  StridedCopy work{.from = data.bytes().data(),
                   .from_strides = row_major_strides(data.shape(), bytes),
                   .to = out.mutable_bytes().data(),
                   .to_strides = row_major_strides(out.shape(), bytes),
                   .element_bytes = bytes};
  for (size_t i = 0; i < data.shape().size(); ++i) {
    const int64_t first = std::max<int64_t>(0, -pads.before[i]);
    const int64_t kept = std::min(data.shape()[i], data.shape()[i] + pads.after[i]) - first;
    if (kept <= 0) {
      return out;
    }
    work.shape.push_back(kept);
    work.from += first * work.from_strides[i];
    work.to += std::max<int64_t>(0, pads.before[i]) * work.to_strides[i];
  }
  copy(work);
  return out;
}

int64_t modulo(int64_t a, int64_t b) { return (a % b + b) % b; }

/// Where the element at `position`, counted from the first one of the data, comes from.
using Source = int64_t (*)(int64_t position, int64_t size);

int64_t edge(int64_t position, int64_t size) { return std::clamp<int64_t>(position, 0, size - 1); }
int64_t wrap(int64_t position, int64_t size) { return modulo(position, size); }
int64_t reflect(int64_t position, int64_t size) {
  const int64_t period = std::max<int64_t>(1, 2 * (size - 1));
  const int64_t folded = modulo(position, period);
  return std::min(folded, period - folded) % size;
}

Tensor pad_from_data(Tensor data, const Pads& pads, Source source) {
  for (int64_t axis = 0; axis < data.rank(); ++axis) {
    const auto i = static_cast<size_t>(axis);
    Shape shape = data.shape();
    shape[i] += pads.before[i] + pads.after[i];
    const int64_t size = data.shape()[i];
    if (pads.before[i] == 0 && pads.after[i] == 0) {
      continue;
    }
    if (size == 0) {
      throw Error(Kind::input, "an empty dimension has nothing to pad with");
    }
    check_output(data.dtype(), shape);
    std::vector<int64_t> indices(static_cast<size_t>(shape[i]));
    for (int64_t k = 0; k < shape[i]; ++k) {
      indices[static_cast<size_t>(k)] = source(k - pads.before[i], size);
    }
    data = take(data, axis, indices, shape);
  }
  return data;
}

struct ModeRow {
  std::string_view name;
  Source source;
};
constexpr std::array kModes = {ModeRow{"edge", edge}, ModeRow{"reflect", reflect}, ModeRow{"wrap", wrap}};

Tensor padded(const Tensor& data, const Pads& pads, const Tensor* value, std::string_view mode) {
  if (mode == "constant") {
    return pad_constant(data, pads, value);
  }
  const auto* found = std::find_if(kModes.begin(), kModes.end(), [&](const ModeRow& row) { return row.name == mode; });
  if (found == kModes.end()) {
    throw Error(Kind::unsupported, "mode '{}'", mode);
  }
  padded_shape(data.shape(), pads);
  return pad_from_data(data, pads, found->source);
}

}  // namespace

std::vector<Tensor> pad(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Pads pads = get_pads(call, data.rank());
  const Tensor* value = call.find_input(2);
  if (value != nullptr && (value->dtype() != data.dtype() || value->count() != 1)) {
    throw Error(Kind::input, "{} {} to pad with, expected one number of type {}", name(value->dtype()),
                to_string(value->shape()), name(data.dtype()));
  }
  const Tensor fill_value = value != nullptr ? unpack(*value) : Tensor();
  const std::string mode = call.node.get_string("mode", "constant");
  return {move_elements(data, [&](const Tensor& elements) {
    return padded(elements, pads, value != nullptr ? &fill_value : nullptr, mode);
  })};
}

}  // namespace terse::calibration::ops
