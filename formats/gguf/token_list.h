#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/gguf/metadata.h"
#include "formats/vocabulary.h"

namespace terse::gguf {

/// The tokens of a vocabulary as a GGUF file lists them: a row an id, ids without a token filled up.
class TokenList {
 public:
  /// Added tokens beyond `size` are left out: no model has a row for them. Error input if the vocabulary's own go
  /// beyond.
  TokenList(const Vocabulary& vocabulary, int64_t size);

  /// By id, for the tokens that have one.
  void set_scores(std::span<const float> scores);

  /// Puts U+2581 in front of what begins a word and removes "##" from what continues one.
  void mark_words();

  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<int32_t> types;  ///< llama.cpp's numbers
};

/// Puts texts and types into metadata; with scores for the models that have them.
void set_tokens(TokenList tokens, Metadata& metadata);
void set_scored_tokens(TokenList tokens, Metadata& metadata);

}  // namespace terse::gguf
