#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "calibration/tokenizers/pieces.h"
#include "formats/vocabulary.h"

namespace terse::calibration {

/// Turns pieces into ids. Immutable: any number of threads may encode.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  /// Appends the ids of every piece. Error input for an unknown piece if the vocabulary has no unknown token.
  virtual void encode(const Pieces& pieces, std::vector<int32_t>& out) const = 0;
};

/// Whether pieces are characters, or raw bytes whose tokens the vocabulary spells in GPT-2's alphabet.
enum class PieceUnit { characters, bytes };

// A model a file. `vocabulary` must outlive none of them: they copy what they need.
std::unique_ptr<const TokenModel> make_bpe(const Vocabulary& vocabulary, PieceUnit unit);
std::unique_ptr<const TokenModel> make_wordpiece(const Vocabulary& vocabulary);
std::unique_ptr<const TokenModel> make_wordlevel(const Vocabulary& vocabulary);
std::unique_ptr<const TokenModel> make_unigram(const Vocabulary& vocabulary);
std::unique_ptr<const TokenModel> make_sentencepiece_bpe(const Vocabulary& vocabulary);

}  // namespace terse::calibration
