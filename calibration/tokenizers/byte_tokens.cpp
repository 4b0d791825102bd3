#include "calibration/tokenizers/byte_tokens.h"

#include <algorithm>
#include <charconv>

namespace terse::calibration {
namespace {

/// The byte of "<0x4A>"; 256 for another text.
size_t byte_of(std::string_view text) {
  constexpr size_t kNone = 256;
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>' || !is_digit(text[3]) || !is_digit(text[4])) {
    return kNone;
  }
  size_t byte = kNone;
  std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
  return byte;
}

}  // namespace

ByteTokens::ByteTokens(const Vocabulary& vocabulary) : there_(vocabulary.byte_fallback) {
  ids_.fill(kAbsent);
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (const size_t byte = byte_of(vocabulary.tokens[id].text); byte < ids_.size()) {
      ids_[byte] = static_cast<int32_t>(id);
    }
  }
}

bool ByteTokens::append(std::string_view bytes, std::vector<int32_t>& out) const {
  const auto id_of = [this](char byte) { return ids_[static_cast<unsigned char>(byte)]; };
  if (!there_ || std::ranges::any_of(bytes, [&](char byte) { return id_of(byte) == kAbsent; })) {
    return false;
  }
  std::ranges::transform(bytes, std::back_inserter(out), id_of);
  return true;
}

}  // namespace terse::calibration
