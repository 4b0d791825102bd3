#include "formats/utf8.h"

#include <cstdint>
#include <cstring>

namespace terse {
namespace {

/// What is at the start of `text`: a character of `length` bytes, or bad bytes that become one U+FFFD.
struct Sequence {
  size_t length = 1;
  bool valid = false;
};

/// The least and the greatest second byte after `lead`: no overlong forms, no surrogates, nothing above U+10FFFF.
/// Source: The Unicode Standard, table 3-7.
struct SecondByte {
  unsigned char least = 0x80, greatest = 0xbf;
};

SecondByte second_byte(unsigned char lead) {
  switch (lead) {
    case 0xe0:
      return {0xa0, 0xbf};
    case 0xed:
      return {0x80, 0x9f};
    case 0xf0:
      return {0x90, 0xbf};
    case 0xf4:
      return {0x80, 0x8f};
    default:
      return {};
  }
}

Sequence sequence_at(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) {
    return {1, true};
  }
  if (lead < 0xc2 || lead > 0xf4) {
    return {1, false};
  }
  const size_t expected = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  SecondByte allowed = second_byte(lead);
  for (size_t i = 1; i < expected; ++i) {
    const auto byte = i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    if (byte < allowed.least || byte > allowed.greatest) {
      return {i, false};
    }
    allowed = {};
  }
  return {expected, true};
}

/// Bytes of ASCII at the start of `text`, eight at a time.
size_t ascii_prefix(std::string_view text) {
  size_t at = 0;
  for (uint64_t word = 0; at + sizeof(word) <= text.size(); at += sizeof(word)) {
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & 0x8080808080808080U) != 0) {
      break;
    }
  }
  return at;
}

}  // namespace

size_t valid_utf8_prefix(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    at += ascii_prefix(bytes.substr(at));
    if (at == bytes.size()) {
      break;
    }
    const Sequence found = sequence_at(bytes.substr(at));
    if (!found.valid) {
      break;
    }
    at += found.length;
  }
  return at;
}

size_t bad_utf8_prefix(std::string_view bytes) { return sequence_at(bytes).length; }

}  // namespace terse
