#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace terse::calibration {

/// SentencePiece's table of replacements ("precompiled_charsmap").
/// Layout:  uint32 bytes of the trie; the trie, a double array of uint32 (Darts-clone's units); replacements, each
/// ended
///          by a NUL. A leaf's value is where its replacement begins. All little-endian.
/// Whatever the bytes are, looking up stays inside them.
class Charsmap {
 public:
  /// Error input if the sizes do not fit.
  explicit Charsmap(std::string bytes);

  struct Match {
    size_t length = 0;  ///< bytes of the text
    std::string_view replacement;
  };
  /// The shortest start of `text` that is in the table, and the longest one.
  std::optional<Match> shortest(std::string_view text) const { return find(text, true); }
  std::optional<Match> longest(std::string_view text) const { return find(text, false); }

 private:
  std::optional<Match> find(std::string_view text, bool stop_at_first) const;
  std::string_view replacement(uint32_t at) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace terse::calibration
