#include "formats/byte_reader.h"

#include <algorithm>
#include <bit>

#include "formats/error.h"

namespace terse {

static_assert(std::endian::native == std::endian::little, "the formats are little endian, and are read as they lie");

std::span<const std::byte> ByteReader::take(uint64_t count) {
  const size_t left = bytes_.size() - position_;
  if (count > left) {
    throw Error(Kind::input, "{} bytes expected at byte {} of {}, where {} are left", count, position_, bytes_.size(),
                left);
  }
  const auto taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

std::string_view ByteReader::text(uint64_t count) {
  const auto bytes = take(count);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view ByteReader::line() {
  const auto rest = bytes_.subspan(position_);
  const auto end = std::ranges::find(rest, std::byte{'\n'});
  const std::string_view found = text(static_cast<uint64_t>(end - rest.begin()));
  take(1);
  return found;
}

}  // namespace terse
