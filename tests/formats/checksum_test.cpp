#include "formats/checksum.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace terse {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST_SUITE("formats/checksum") {
  TEST_CASE("each bit, the length and the seed count") {
    std::string text(100, 'a');
    const uint64_t sum = checksum(bytes_of(text));
    CHECK(checksum(bytes_of(text)) == sum);
    CHECK(checksum(bytes_of(text), 1) != sum);
    CHECK(checksum(bytes_of(std::string_view(text).substr(1))) != sum);
    CHECK(checksum(bytes_of("")) != checksum(bytes_of(std::string_view("\0", 1))));
    for (size_t bit = 0; bit < text.size() * 8; ++bit) {
      std::string other = text;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
      CHECK(checksum(bytes_of(other)) != sum);
    }
  }
}

}  // namespace
}  // namespace terse
