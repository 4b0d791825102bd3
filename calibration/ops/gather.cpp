#include "calibration/ops/gather.h"

#include <cstring>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

std::vector<int64_t> get_indices(const Tensor& tensor, int64_t size) {
  std::vector<int64_t> indices = to_int64s(tensor);
  for (int64_t& index : indices) {
    index = get_index(index, size);
  }
  return indices;
}

/// The data's shape with `axis` replaced by the indices' shape.
Shape gathered_shape(const Shape& data, int64_t axis, const Shape& indices) {
  Shape shape(data.begin(), data.begin() + axis);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), data.begin() + axis + 1, data.end());
  return shape;
}

/// What GatherElements needs to know of the data: offsets of a line of indices, the axis itself apart.
template <size_t kBytes>
void gather_elements_of(const Tensor& data, const std::vector<int64_t>& indices, int64_t axis, Tensor& out) {
  Shape strides = row_major_strides(data.shape(), 1);
  const int64_t stride = strides[at(axis)];
  strides[at(axis)] = 0;
  const int64_t step = strides.back();
  const int64_t length = out.shape().back();
  const std::byte* from = data.bytes().data();
  std::byte* to = out.mutable_bytes().data();
  for_each_line(out.shape(), strides, [&](int64_t first, int64_t offset) {
    for (int64_t i = 0; i < length; ++i) {
      const int64_t source = offset + i * step + indices[at(first + i)] * stride;
      std::memcpy(to + (first + i) * static_cast<int64_t>(kBytes), from + source * static_cast<int64_t>(kBytes),
                  kBytes);
    }
  });
}

Tensor gather_elements_from(const Tensor& data, const std::vector<int64_t>& indices, int64_t axis, const Shape& shape) {
  Tensor out = Tensor::uninitialized(data.dtype(), shape);
  switch (element_bytes(data)) {
    case 1:
      gather_elements_of<1>(data, indices, axis, out);
      break;
    case 2:
      gather_elements_of<2>(data, indices, axis, out);
      break;
    case 4:
      gather_elements_of<4>(data, indices, axis, out);
      break;
    case 8:
      gather_elements_of<8>(data, indices, axis, out);
      break;
    default:
      throw Error(Kind::unsupported, "element type {}", name(data.dtype()));
  }
  return out;
}

void check_element_indices(const Shape& data, const Shape& indices, int64_t axis) {
  bool fits = data.size() == indices.size();
  for (size_t i = 0; fits && i < data.size(); ++i) {
    fits = i == at(axis) || indices[i] <= data[i];
  }
  if (!fits) {
    throw Error(Kind::input, "indices of shape {} for data of shape {}", to_string(indices), to_string(data));
  }
}

/// How GatherND reads: each tuple of indices names a slice of the data, in elements.
struct Slices {
  std::vector<int64_t> offsets;
  int64_t elements = 0;  ///< of a slice
  Shape shape;           ///< of the result
};

Slices find_slices(const Shape& data, const Tensor& indices, int64_t batch_dims) {
  const auto rank = std::ssize(data);
  const int64_t tuple = indices.rank() > 0 ? indices.shape().back() : 0;
  if (tuple < 1 || batch_dims < 0 || batch_dims >= indices.rank() || tuple > rank - batch_dims ||
      !std::equal(data.begin(), data.begin() + batch_dims, indices.shape().begin())) {
    throw Error(Kind::input, "indices of shape {} for data of shape {} with batch_dims {}", to_string(indices.shape()),
                to_string(data), batch_dims);
  }
  const Shape strides = row_major_strides(data, 1);
  const auto values = to_int64s(indices);
  Slices slices{.elements = product(data, batch_dims + tuple, rank)};
  slices.shape.assign(indices.shape().begin(), indices.shape().end() - 1);
  slices.shape.insert(slices.shape.end(), data.begin() + batch_dims + tuple, data.end());
  const int64_t count = std::ssize(values) / tuple;
  const int64_t batches = product(data, 0, batch_dims);
  const int64_t batch_elements = product(data, batch_dims, rank);
  for (int64_t i = 0; i < count; ++i) {
    int64_t offset = i / (count / batches) * batch_elements;
    for (int64_t j = 0; j < tuple; ++j) {
      const size_t axis = at(batch_dims + j);
      offset += get_index(values[at(i * tuple + j)], data[axis]) * strides[axis];
    }
    slices.offsets.push_back(offset);
  }
  return slices;
}

}  // namespace

Tensor take(const Tensor& data, int64_t axis, const std::vector<int64_t>& indices, Shape shape) {
  const int64_t inner = product(data.shape(), axis + 1, data.rank()) * element_bytes(data);
  const auto count = std::ssize(indices);
  const int64_t size = data.shape()[at(axis)];
  Tensor out = Tensor::uninitialized(data.dtype(), std::move(shape));
  const std::byte* from = data.bytes().data();
  std::byte* to = out.mutable_bytes().data();
  parallel_ranges(product(data.shape(), 0, axis) * count, copy_grain(inner), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::memcpy(to + i * inner, from + (i / count * size + indices[at(i % count)]) * inner, at(inner));
    }
  });
  return out;
}

namespace ops {

std::vector<Tensor> gather(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor& indices = call.input(1);
  const int64_t axis = get_axis(call.node.get_int("axis", 0), data.rank());
  const auto entries = get_indices(indices, data.shape()[at(axis)]);
  const Shape shape = gathered_shape(data.shape(), axis, indices.shape());
  return {move_elements(data, [&](const Tensor& elements) { return take(elements, axis, entries, shape); })};
}

std::vector<Tensor> gather_elements(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor& indices = call.input(1);
  const int64_t axis = get_axis(call.node.get_int("axis", 0), data.rank());
  check_element_indices(data.shape(), indices.shape(), axis);
  const auto entries = get_indices(indices, data.shape()[at(axis)]);
  return {move_elements(
      data, [&](const Tensor& elements) { return gather_elements_from(elements, entries, axis, indices.shape()); })};
}

std::vector<Tensor> gather_nd(const OpCall& call) {
  const Slices slices = find_slices(call.input(0).shape(), call.input(1), call.node.get_int("batch_dims", 0));
  return {move_elements(call.input(0), [&](const Tensor& data) {
    const int64_t bytes = element_bytes(data);
    const int64_t slice = slices.elements * bytes;
    Tensor out = Tensor::uninitialized(data.dtype(), slices.shape);
    std::byte* to = out.mutable_bytes().data();
    parallel_ranges(std::ssize(slices.offsets), copy_grain(slice), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::memcpy(to + i * slice, data.bytes().data() + slices.offsets[at(i)] * bytes, at(slice));
      }
    });
    return out;
  })};
}

}  // namespace ops
}  // namespace terse::calibration
