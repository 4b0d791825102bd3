#include "calibration/tokenizers/utf8.h"

namespace terse::calibration::utf8 {

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

std::string repaired(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t good = valid_utf8_prefix(text);
    out.append(text.substr(0, good));
    text.remove_prefix(good);
    if (!text.empty()) {
      append(out, 0xfffd);
      text.remove_prefix(bad_utf8_prefix(text));
    }
  }
  return out;
}

}  // namespace terse::calibration::utf8
