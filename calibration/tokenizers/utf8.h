#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "formats/utf8.h"

namespace terse::calibration::utf8 {

// Everything behind `repaired` is valid UTF-8, so these ask nothing of it again.

/// Bytes of the character that begins with `lead`: 1 to 4.
inline size_t length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// The code point at text[at].
inline char32_t decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[at + i])); };
  switch (length(text[at])) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
    case 3:
      return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
  }
}

/// Where the character that ends at `end` begins.
inline size_t before(std::string_view text, size_t end) {
  do {
    --end;
  } while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80);
  return end;
}

void append(std::string& text, char32_t point);

/// `text` with every bad sequence replaced by U+FFFD, as Python's errors="replace" does it: one for each longest start
/// of a character.
std::string repaired(std::string_view text);

/// `text`, repaired if it has to be.
inline std::string made_valid(std::string text) { return is_utf8(text) ? std::move(text) : repaired(text); }

/// Calls `visit(point, begin, end)` for every character.
template <typename Visit>
void for_each(std::string_view text, Visit&& visit) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = at + length(text[at]);
    visit(decode(text, at), at, end);
    at = end;
  }
}

}  // namespace terse::calibration::utf8
