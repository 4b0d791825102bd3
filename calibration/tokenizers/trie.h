#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace terse::calibration {

/// Ids by text, for finding every start of a text that has one. A node's children lie side by side, by byte.
class Trie {
 public:
  static constexpr int32_t kAbsent = -1;

  struct Entry {
    std::string_view text;
    int32_t id = 0;
  };
  /// Of equal texts the last one's id counts; empty ones are left out. The texts are copied.
  explicit Trie(std::vector<Entry> entries);

  /// Calls `visit(length, id)` for every start of `text` that is in the trie, the shortest first.
  template <typename Visit>
  void for_each_prefix(std::string_view text, Visit&& visit) const {
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      node = child(node, static_cast<unsigned char>(text[i]));
      if (node == 0) {
        return;
      }
      if (nodes_[node].id != kAbsent) {
        visit(i + 1, nodes_[node].id);
      }
    }
  }

  struct Match {
    size_t length = 0;
    int32_t id = kAbsent;
  };
  /// The longest start of `text` that is in the trie; length 0: none.
  Match longest(std::string_view text) const {
    Match found;
    for_each_prefix(text, [&](size_t length, int32_t id) { found = {length, id}; });
    return found;
  }
  /// The id of `text` itself.
  int32_t find(std::string_view text) const;

 private:
  struct Node {
    uint32_t first_child = 0, children = 0;
    int32_t id = kAbsent;
  };
  uint32_t child(uint32_t node, unsigned char byte) const;
  void build(std::span<const Entry> sorted);

  std::vector<Node> nodes_;           ///< the root first; 0 as a child means none
  std::vector<unsigned char> bytes_;  ///< that lead to each node
};

}  // namespace terse::calibration
