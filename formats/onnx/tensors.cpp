#include "formats/onnx/tensors.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "formats/error.h"
#include "formats/onnx/data_types.h"
#include "formats/onnx/skeleton.h"

namespace terse::onnx {
namespace {

Shape shape_of(const ::onnx::TensorProto& proto) {
  Shape shape(proto.dims().begin(), proto.dims().end());
  if (!checked_count(shape)) {
    throw Error(Kind::input, "shape {} is negative or too large", to_string(shape));
  }
  return shape;
}

Tensor copy(DType dtype, const Shape& shape, std::span<const std::byte> bytes) {
  const Tensor view = Tensor::view(dtype, shape, bytes, nullptr);  // checks the size before anything is allocated
  Tensor tensor = Tensor::uninitialized(dtype, shape);
  std::ranges::copy(view.bytes(), tensor.mutable_bytes().begin());
  if (dtype == DType::boolean) {
    std::ranges::for_each(tensor.mutable_bytes(), [](std::byte& b) { b = b == std::byte{0} ? b : std::byte{1}; });
  }
  return tensor;
}

Tensor view_or_copy(DType dtype, const Shape& shape, std::span<const std::byte> bytes,
                    const std::shared_ptr<const MappedFile>& file) {
  const bool is_small = std::ssize(bytes) <= kSmallBytes;
  return is_small || dtype == DType::boolean ? copy(dtype, shape, bytes) : Tensor::mapped(dtype, shape, bytes, file);
}

/// Bytes of a tensor that one entry of its typed field holds.
int64_t entry_bytes(const DataTypeRow& type) {
  switch (type.storage) {
    case Storage::floats:
      return sizeof(float);
    case Storage::doubles:
      return sizeof(double);
    default:
      return std::max(row(type.dtype).bits, 8) / 8;
  }
}

/// The low bytes of every entry, one after the other.
template <typename Entries>
Tensor narrow(const Entries& entries, const DataTypeRow& type, const Shape& shape) {
  const int64_t width = entry_bytes(type);
  const int64_t expected = packed_bytes(type.dtype, *checked_count(shape)) / width;
  if (entries.size() != expected) {
    throw Error(Kind::input, "{} numbers, expected {} for {} {}", entries.size(), expected, name(type.dtype),
                to_string(shape));
  }
  std::string bytes;
  bytes.reserve(static_cast<size_t>(expected * width));
  for (const auto& entry : entries) {
    bytes.append(reinterpret_cast<const char*>(&entry), static_cast<size_t>(width));
  }
  return copy(type.dtype, shape, std::as_bytes(std::span(bytes)));
}

Tensor read_typed(const ::onnx::TensorProto& proto, const DataTypeRow& type, const Shape& shape) {
  switch (type.storage) {
    case Storage::int32s:
      return narrow(proto.int32_data(), type, shape);
    case Storage::int64s:
      return narrow(proto.int64_data(), type, shape);
    case Storage::uint64s:
      return narrow(proto.uint64_data(), type, shape);
    case Storage::floats:
      return narrow(proto.float_data(), type, shape);
    case Storage::doubles:
      return narrow(proto.double_data(), type, shape);
    case Storage::strings:
      return Tensor::strings(shape, {proto.string_data().begin(), proto.string_data().end()});
  }
  throw Error(Kind::internal, "a storage without a reader");
}

std::string find_entry(const ::onnx::TensorProto& proto, std::string_view key) {
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == key) {
      return entry.value();
    }
  }
  return "";
}

/// A number of the external data's record; `otherwise` if it is absent.
int64_t get_number(const ::onnx::TensorProto& proto, std::string_view key, int64_t otherwise) {
  const std::string text = find_entry(proto, key);
  int64_t value = otherwise;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size() || value < 0)) {
    throw Error(Kind::input, "external data has the {} '{}', expected a number of bytes", key, text);
  }
  return value;
}

}  // namespace

Tensor TensorReader::read(const ::onnx::TensorProto& proto) {
  const auto type = find_data_type(proto.data_type());
  if (!type) {
    throw Error(proto.data_type() == 0 ? Kind::input : Kind::unsupported, "element type {} is not known",
                proto.data_type());
  }
  const Shape shape = shape_of(proto);
  const bool is_external = proto.data_location() == ::onnx::TensorProto::EXTERNAL;
  if (type->dtype == DType::string && (is_external || proto.has_raw_data() || proto.has_segment())) {
    throw Error(Kind::input, "strings are stored as raw bytes, expected string_data");
  }
  if (is_external) {
    return read_external(proto, type->dtype, shape);
  }
  if (proto.has_segment()) {
    const int64_t begin = proto.segment().begin();
    return view_or_copy(type->dtype, shape, file_->slice(begin, proto.segment().end() - begin), file_);
  }
  if (proto.has_raw_data()) {
    return copy(type->dtype, shape, std::as_bytes(std::span(proto.raw_data())));
  }
  return read_typed(proto, *type, shape);
}

Tensor TensorReader::read_external(const ::onnx::TensorProto& proto, DType dtype, const Shape& shape) {
  const auto file = externals_.open(find_entry(proto, "location"));
  const int64_t needed = packed_bytes(dtype, *checked_count(shape));
  const int64_t length = get_number(proto, "length", needed);
  return view_or_copy(dtype, shape, file->slice(get_number(proto, "offset", 0), length), file);
}

}  // namespace terse::onnx
