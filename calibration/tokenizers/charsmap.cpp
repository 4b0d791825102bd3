#include "calibration/tokenizers/charsmap.h"

#include <cstring>

#include "formats/error.h"

namespace terse::calibration {
namespace {

// A unit of Darts-clone's double array. Source: S. Yata, darts-clone, darts.h.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t value(uint32_t unit) { return unit & 0x7fffffff; }
uint32_t label(uint32_t unit) { return unit & 0x800000ff; }
uint32_t offset(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

}  // namespace

Charsmap::Charsmap(std::string bytes) {
  uint32_t trie_bytes = 0;
  if (bytes.size() < sizeof(trie_bytes)) {
    throw Error(Kind::input, "a charsmap has {} bytes, expected 4 at least", bytes.size());
  }
  std::memcpy(&trie_bytes, bytes.data(), sizeof(trie_bytes));
  if (trie_bytes % sizeof(uint32_t) != 0 || trie_bytes > bytes.size() - sizeof(trie_bytes)) {
    throw Error(Kind::input, "a charsmap of {} bytes says that its trie has {}", bytes.size(), trie_bytes);
  }
  units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(units_.data(), bytes.data() + sizeof(trie_bytes), trie_bytes);
  replacements_ = bytes.substr(sizeof(trie_bytes) + trie_bytes);
}

std::optional<Charsmap::Match> Charsmap::find(std::string_view text, bool stop_at_first) const {
  std::optional<Match> found;
  if (units_.empty()) {
    return found;
  }
  uint32_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label(units_[node]) != byte) {
      break;
    }
    const uint32_t unit = units_[node];
    node ^= offset(unit);
    if (has_leaf(unit) && node < units_.size()) {
      found = {.length = i + 1, .replacement = replacement(value(units_[node]))};
      if (stop_at_first) {
        break;
      }
    }
  }
  return found;
}

std::string_view Charsmap::replacement(uint32_t at) const {
  const std::string_view all = replacements_;
  const std::string_view from = all.substr(std::min<size_t>(at, all.size()));
  return from.substr(0, from.find('\0'));
}

}  // namespace terse::calibration
