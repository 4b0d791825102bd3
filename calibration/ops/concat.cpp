#include <numeric>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"

// Concat and Split. Seen as [outer, size of axis * inner], each part is a block of columns.

namespace terse::calibration::ops {
namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

void check_alike(const Tensor& first, const Tensor& other, int64_t axis) {
  bool alike = first.dtype() == other.dtype() && first.rank() == other.rank();
  for (int64_t i = 0; alike && i < first.rank(); ++i) {
    alike = i == axis || first.shape()[at(i)] == other.shape()[at(i)];
  }
  if (!alike) {
    throw Error(Kind::input, "{} {} and {} {} cannot be joined along axis {}", name(first.dtype()),
                to_string(first.shape()), name(other.dtype()), to_string(other.shape()), axis);
  }
}

Tensor join(const std::vector<Tensor>& parts, int64_t axis) {
  Shape shape = parts[0].shape();
  shape[at(axis)] = 0;
  for (const Tensor& part : parts) {
    shape[at(axis)] += part.shape()[at(axis)];
  }
  Tensor out = Tensor::uninitialized(parts[0].dtype(), shape);
  const int64_t bytes = element_bytes(out);
  const int64_t outer = product(shape, 0, axis);
  const int64_t row_bytes = product(shape, axis, out.rank()) * bytes;
  std::byte* to = out.mutable_bytes().data();
  for (const Tensor& part : parts) {
    const int64_t part_bytes = product(part.shape(), axis, part.rank()) * bytes;
    copy({.shape = {outer, part_bytes},
          .from = part.bytes().data(),
          .from_strides = {part_bytes, 1},
          .to = to,
          .to_strides = {row_bytes, 1},
          .element_bytes = 1});
    to += part_bytes;
  }
  return out;
}

/// The sizes of the parts: as given, or as even as can be with a smaller last one.
std::vector<int64_t> part_sizes(const OpCall& call, int64_t size) {
  const auto outputs = static_cast<int64_t>(call.node.outputs.size());
  std::vector<int64_t> sizes;
  if (const Tensor* given = call.find_input(1)) {
    sizes = to_int64s(*given);
  } else {
    const int64_t parts = call.node.get_int("num_outputs", outputs);
    if (parts != outputs) {
      throw Error(Kind::input, "num_outputs is {}, but the node has {} outputs", parts, outputs);
    }
    const int64_t part = (size + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) {
      sizes.push_back(std::clamp(size - i * part, int64_t{0}, part));
    }
  }
  if (static_cast<int64_t>(sizes.size()) != outputs ||
      std::ranges::any_of(sizes, [&](int64_t s) { return s < 0 || s > size; }) ||
      std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) != size) {
    throw Error(Kind::input, "sizes {} for {} outputs of a dimension of {}", to_string(sizes), outputs, size);
  }
  return sizes;
}

Tensor part_of(const Tensor& data, int64_t axis, int64_t first, int64_t size) {
  Shape shape = data.shape();
  shape[at(axis)] = size;
  Tensor out = Tensor::uninitialized(data.dtype(), shape);
  const int64_t inner_bytes = product(shape, axis + 1, data.rank()) * element_bytes(data);
  copy({.shape = {product(shape, 0, axis), size * inner_bytes},
        .from = data.bytes().data() + first * inner_bytes,
        .from_strides = {data.shape()[at(axis)] * inner_bytes, 1},
        .to = out.mutable_bytes().data(),
        .to_strides = {size * inner_bytes, 1},
        .element_bytes = 1});
  return out;
}

}  // namespace

std::vector<Tensor> concat(const OpCall& call) {
  const Tensor& first = call.input(0);
  const int64_t axis = get_axis(call.node.get_int("axis", 0), first.rank());
  std::vector<Tensor> parts;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    check_alike(first, call.input(i), axis);
    parts.push_back(unpack(call.input(i)));
  }
  return {repack(join(parts, axis), first.dtype())};
}

std::vector<Tensor> split(const OpCall& call) {
  const Tensor data = unpack(call.input(0));
  const int64_t axis = get_axis(call.node.get_int("axis", 0), data.rank());
  std::vector<Tensor> parts;
  int64_t first = 0;
  for (const int64_t size : part_sizes(call, data.shape()[at(axis)])) {
    parts.push_back(repack(part_of(data, axis, first, size), call.input(0).dtype()));
    first += size;
  }
  return parts;
}

}  // namespace terse::calibration::ops
