#include "formats/onnx/wire.h"

#include <bit>

#include "formats/error.h"

namespace terse::wire {

std::optional<Field> Cursor::next() {
  if (rest_.empty()) {
    return std::nullopt;
  }
  const std::byte* begin = rest_.data();
  const uint64_t tag = read_varint();
  Field field;
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<Type>(tag & 7);
  if (field.number == 0 || (tag >> 32) != 0) {
    throw Error(Kind::input, "a protobuf field has the tag {}, which is none", tag);
  }
  switch (field.type) {
    case Type::varint:
      field.varint = read_varint();
      break;
    case Type::fixed64:
      take(8);
      break;
    case Type::length_delimited:
      field.payload = take(read_varint());
      break;
    case Type::fixed32:
      take(4);
      break;
    default:
      throw Error(Kind::input, "protobuf field {} has wire type {}, expected 0, 1, 2 or 5", field.number, tag & 7);
  }
  field.record = {begin, rest_.data()};
  return field;
}

uint64_t Cursor::read_varint() {
  uint64_t value = 0;
  for (size_t i = 0; i < 10; ++i) {
    const auto byte = static_cast<uint64_t>(take(1)[0]);
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      return value;
    }
  }
  throw Error(Kind::input, "a protobuf number is longer than 10 bytes");
}

std::span<const std::byte> Cursor::take(uint64_t length) {
  if (length > rest_.size()) {
    throw Error(Kind::input, "a protobuf field of {} bytes is cut off: {} bytes are left", length, rest_.size());
  }
  const auto taken = rest_.first(static_cast<size_t>(length));
  rest_ = rest_.subspan(static_cast<size_t>(length));
  return taken;
}

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void append_tag(std::string& out, uint32_t number, Type type) {
  append_varint(out, (uint64_t{number} << 3) | static_cast<uint64_t>(type));
}

void append_varint_field(std::string& out, uint32_t number, uint64_t value) {
  append_tag(out, number, Type::varint);
  append_varint(out, value);
}

void append_bytes_field(std::string& out, uint32_t number, std::string_view payload) {
  append_tag(out, number, Type::length_delimited);
  append_varint(out, payload.size());
  out.append(payload);
}

int64_t varint_bytes(uint64_t value) { return (std::bit_width(value | 1) + 6) / 7; }

}  // namespace terse::wire
