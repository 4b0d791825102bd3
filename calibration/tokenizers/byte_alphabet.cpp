#include "calibration/tokenizers/byte_alphabet.h"

#include <algorithm>

#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

constexpr bool is_printable(char32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

/// Printable bytes stand for themselves; the others, in order, for U+0100 and on.
constexpr std::array<char32_t, 256> kAlphabet = [] {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    alphabet[byte] = is_printable(byte) ? byte : next++;
  }
  return alphabet;
}();

std::optional<char> byte_of(char32_t character) {
  if (character < 0x100) {
    return is_printable(character) ? std::optional(static_cast<char>(character)) : std::nullopt;
  }
  const auto* found = std::ranges::find(kAlphabet, character);
  return found == kAlphabet.end() ? std::nullopt : std::optional(static_cast<char>(found - kAlphabet.begin()));
}

}  // namespace

const std::array<char32_t, 256>& byte_alphabet() { return kAlphabet; }

void append_as_characters(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) {
    utf8::append(out, kAlphabet[static_cast<unsigned char>(byte)]);
  }
}

std::optional<std::string> bytes_of_characters(std::string_view characters) {
  std::string bytes;
  for (size_t at = 0; at < characters.size(); at += utf8::length(characters[at])) {
    const auto byte = byte_of(utf8::decode(characters, at));
    if (!byte) {
      return std::nullopt;
    }
    bytes.push_back(*byte);
  }
  return bytes;
}

}  // namespace terse::calibration
