#include "calibration/tokenizers/utf8.h"

#include <cstdint>
#include <cstring>

namespace terse::calibration::utf8 {
namespace {

/// What is at the start of `text`: a character of `length` bytes, or bad bytes that become one U+FFFD.
struct Sequence {
  size_t length = 1;
  bool valid = false;
};

/// The least and the greatest second byte after `lead`: no overlong forms, no surrogates, nothing above U+10FFFF.
/// Source: the Unicode Standard, table 3-7.
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
  const size_t expected = length(text[0]);
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

void append(std::string& text, char32_t point) {
  const auto push = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xc0 | point >> 6);
    push(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    push(0xe0 | point >> 12);
    push(0x80 | (point >> 6 & 0x3f));
    push(0x80 | (point & 0x3f));
  } else {
    push(0xf0 | point >> 18);
    push(0x80 | (point >> 12 & 0x3f));
    push(0x80 | (point >> 6 & 0x3f));
    push(0x80 | (point & 0x3f));
  }
}

size_t valid_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    at += ascii_prefix(text.substr(at));
    if (at == text.size()) {
      break;
    }
    const Sequence found = sequence_at(text.substr(at));
    if (!found.valid) {
      break;
    }
    at += found.length;
  }
  return at;
}

std::string repaired(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t good = valid_prefix(text);
    out.append(text.substr(0, good));
    text.remove_prefix(good);
    if (!text.empty()) {
      append(out, 0xfffd);
      text.remove_prefix(sequence_at(text).length);
    }
  }
  return out;
}

}  // namespace terse::calibration::utf8
