#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "calibration/tokenizers/pattern.h"
#include "calibration/tokenizers/trie.h"
#include "formats/vocabulary.h"

namespace terse::calibration {

/// Finds added tokens in a text: the leftmost one, of several there the longest.
class AddedTokens {
 public:
  /// A token and the text that stands for it.
  struct Entry {
    const Vocabulary::AddedToken* token = nullptr;  ///< copied
    std::string text;
  };
  explicit AddedTokens(const std::vector<Entry>& entries);

  struct Part {
    static constexpr int32_t kText = -1;
    Span span;
    int32_t id = kText;
  };
  /// Cuts `text` into tokens and what is between them; empty parts are left out.
  std::vector<Part> split(std::string_view text) const;

 private:
  struct Found {
    Span span;
    const Vocabulary::AddedToken* token = nullptr;
  };
  Found find(std::string_view text, size_t from) const;

  std::vector<Vocabulary::AddedToken> tokens_;
  Trie trie_;                       ///< of indices into tokens_
  std::array<bool, 256> begins_{};  ///< the first bytes of all tokens
};

}  // namespace terse::calibration
