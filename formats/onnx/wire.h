#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace terse::wire {

// Protocol Buffers' wire format, as far as ONNX uses it: a message is a run of fields, each a tag (field number * 8 +
// wire type, a varint) and a value. Source: protobuf.dev, "Encoding".

enum class Type : uint8_t { varint = 0, fixed64 = 1, length_delimited = 2, fixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Type type = Type::varint;
  uint64_t varint = 0;                 ///< the value of a varint
  std::span<const std::byte> payload;  ///< the contents of a length-delimited field
  std::span<const std::byte> record;   ///< the whole field with its tag
};

/// Reads a message field by field. It touches tags and lengths only, never a payload.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> message) : rest_(message) {}

  /// The next field; nullopt at the end. Error input for a field that is cut off, has number 0, or is a group.
  std::optional<Field> next();

 private:
  uint64_t read_varint();
  std::span<const std::byte> take(uint64_t length);
  std::span<const std::byte> rest_;
};

void append_varint(std::string& out, uint64_t value);
void append_tag(std::string& out, uint32_t number, Type type);
void append_varint_field(std::string& out, uint32_t number, uint64_t value);
void append_bytes_field(std::string& out, uint32_t number, std::string_view payload);

/// Bytes that `value` takes as a varint: 1 to 10.
int64_t varint_bytes(uint64_t value);

}  // namespace terse::wire
