#include "calibration/tokenizers/trie.h"

#include <algorithm>

namespace terse::calibration {

Trie::Trie(std::vector<Entry> entries) {
  std::erase_if(entries, [](const Entry& entry) { return entry.text.empty(); });
  std::ranges::stable_sort(entries, {}, &Entry::text);
  build(entries);
}

/// Level by level: a node's entries are those that share its text, all with one length of it done.
void Trie::build(std::span<const Entry> sorted) {
  struct Work {
    uint32_t node;
    std::span<const Entry> entries;
    size_t done;
  };
  nodes_.emplace_back();
  bytes_.push_back(0);
  std::vector<Work> queue{{0, sorted, 0}};
  for (size_t next = 0; next < queue.size(); ++next) {
    auto [node, entries, done] = queue[next];
    while (!entries.empty() && entries[0].text.size() == done) {
      nodes_[node].id = entries[0].id;
      entries = entries.subspan(1);
    }
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (!entries.empty()) {
      const char byte = entries[0].text[done];
      const auto end = std::ranges::find_if(entries, [&](const Entry& entry) { return entry.text[done] != byte; });
      const auto count = static_cast<size_t>(end - entries.begin());
      queue.push_back({static_cast<uint32_t>(nodes_.size()), entries.first(count), done + 1});
      nodes_.emplace_back();
      bytes_.push_back(static_cast<unsigned char>(byte));
      ++nodes_[node].children;
      entries = entries.subspan(count);
    }
  }
}

uint32_t Trie::child(uint32_t node, unsigned char byte) const {
  const Node& parent = nodes_[node];
  const auto begin = bytes_.begin() + parent.first_child;
  const auto end = begin + parent.children;
  const auto found = std::lower_bound(begin, end, byte);
  return found == end || *found != byte ? 0 : static_cast<uint32_t>(found - bytes_.begin());
}

int32_t Trie::find(std::string_view text) const {
  int32_t id = kAbsent;
  for_each_prefix(text, [&](size_t length, int32_t found) { id = length == text.size() ? found : id; });
  return id;
}

}  // namespace terse::calibration
