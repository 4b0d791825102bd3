#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace terse {

/// Reads a run of bytes from front to back. Error input, with the position, if they end too early.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// A little-endian number.
  template <typename T>
    requires std::integral<T> || std::floating_point<T>
  T number() {
    T value = 0;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> take(uint64_t count);
  std::string_view text(uint64_t count);
  /// Up to the next line feed, which is read and left out.
  std::string_view line();

  int64_t position() const { return static_cast<int64_t>(position_); }
  bool at_end() const { return position_ == bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace terse
