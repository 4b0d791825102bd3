#include "calibration/ops/arguments.h"

#include <algorithm>
#include <new>

#include "formats/error.h"
#include "formats/onnx/data_types.h"

namespace terse::calibration {
namespace {

constexpr int64_t kLargestOutputBytes = int64_t{1} << 36;

template <typename T>
std::span<const T> bytes_as(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size()};
}

}  // namespace

int64_t get_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    throw Error(Kind::input, "axis {} of a tensor of rank {}", axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

std::vector<int64_t> get_axes(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<int64_t> result;
  for (const int64_t axis : axes) {
    result.push_back(get_axis(axis, rank));
    if (std::find(result.begin(), result.end() - 1, result.back()) != result.end() - 1) {
      throw Error(Kind::input, "axis {} is given twice", axis);
    }
  }
  return result;
}

void fail_index(int64_t index, int64_t size) {
  throw Error(Kind::input, "index {} of a dimension of size {}", index, size);
}

void check_output(DType dtype, const Shape& shape) {
  const auto count = checked_count(shape);
  if (!count || *count > kLargestOutputBytes || packed_bytes(dtype, *count) > kLargestOutputBytes) {
    throw Error(Kind::input, "an output of shape {} is too large", to_string(shape));
  }
}

Tensor make_output(DType dtype, const Shape& shape) {
  check_output(dtype, shape);
  try {
    return Tensor::uninitialized(dtype, shape);
  } catch (const std::bad_alloc&) {
    throw Error(Kind::input, "no memory for an output of shape {}", to_string(shape));
  }
}

DType get_dtype(const Node& node, std::string_view attribute, DType otherwise) {
  if (node.find(attribute) == nullptr) {
    return otherwise;
  }
  const int64_t number = node.get_int(attribute, 0);
  const auto found =
      number == static_cast<int32_t>(number) ? onnx::find_data_type(static_cast<int32_t>(number)) : std::nullopt;
  if (!found) {
    throw Error(Kind::input, "attribute '{}' is {}, which is no element type", attribute, number);
  }
  return found->dtype;
}

int64_t element_bytes(const Tensor& tensor) {
  const int bits = row(tensor.dtype()).bits;
  if (bits < 8) {
    throw Error(Kind::unsupported, "element type {}", name(tensor.dtype()));
  }
  return bits / 8;
}

int64_t product(const Shape& shape, int64_t first, int64_t last) {
  int64_t result = 1;
  for (int64_t i = first; i < last; ++i) {
    result *= shape[static_cast<size_t>(i)];
  }
  return result;
}

Tensor unpack(const Tensor& tensor) {
  const int bits = row(tensor.dtype()).bits;
  if (bits == 0 || bits >= 8) {
    return tensor;
  }
  Tensor bytes = Tensor::uninitialized(DType::u8, tensor.shape());
  unpack_codes(bytes_as<uint8_t>(tensor.bytes()), bits, bytes.mutable_values<uint8_t>());
  return bytes;
}

Tensor repack(Tensor tensor, DType dtype) {
  const int bits = row(dtype).bits;
  if (bits == 0 || bits >= 8) {
    return tensor;
  }
  Tensor packed = Tensor::uninitialized(dtype, tensor.shape());
  const auto bytes = packed.mutable_bytes();
  pack_codes(tensor.values<uint8_t>(), bits, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  return packed;
}

}  // namespace terse::calibration
