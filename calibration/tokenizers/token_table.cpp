#include "calibration/tokenizers/token_table.h"

#include <bit>
#include <cstring>

#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // the golden ratio: spreads neighbouring keys

uint64_t mix(uint64_t value) {
  value *= kOdd;
  return value ^ value >> 32;
}

uint32_t hash_of(std::string_view text) {
  uint64_t hash = text.size();
  for (; text.size() > sizeof(uint64_t); text.remove_prefix(sizeof(uint64_t))) {
    uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof(word));
    hash = mix(hash ^ word);
  }
  uint64_t word = 0;
  std::memcpy(&word, text.data(), text.size());
  return static_cast<uint32_t>(mix(mix(hash ^ word)));
}

/// At most half full.
size_t slots_for(size_t most) { return std::bit_ceil(most * 2 + 2); }

}  // namespace

TokenTable::TokenTable(size_t most) : slots_(slots_for(most)) {}

size_t TokenTable::slot_of(std::string_view text, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kAbsent || (slot.hash == hash && slot.length == text.size() &&
                               std::memcmp(texts_.data() + slot.offset, text.data(), text.size()) == 0)) {
      return at;
    }
  }
}

void TokenTable::insert(std::string_view text, int32_t id) {
  if (text.empty()) {
    return;
  }
  const uint32_t hash = hash_of(text);
  Slot& slot = slots_[slot_of(text, hash)];
  if (slot.id == kAbsent) {
    if (texts_.size() + text.size() > UINT32_MAX) {
      throw Error(Kind::unsupported, "the texts of the vocabulary have more than 4 GiB");
    }
    slot = {.offset = static_cast<uint32_t>(texts_.size()), .length = static_cast<uint32_t>(text.size()), .hash = hash};
    texts_ += text;
  }
  slot.id = id;
}

int32_t TokenTable::find(std::string_view text) const { return slots_[slot_of(text, hash_of(text))].id; }

MergeTable::MergeTable(size_t most) : slots_(slots_for(most)) {}

namespace {

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

size_t MergeTable::slot_of(uint64_t key) const {
  const size_t mask = slots_.size() - 1;
  size_t at = mix(key) & mask;
  while (slots_[at].key != key && slots_[at].key != UINT64_MAX) {
    at = (at + 1) & mask;
  }
  return at;
}

void MergeTable::insert(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = key_of(left, right);
  slots_[slot_of(key)] = {.key = key, .merge = merge};
}

MergeTable::Merge MergeTable::find(int32_t left, int32_t right) const {
  return slots_[slot_of(key_of(left, right))].merge;
}

}  // namespace terse::calibration
