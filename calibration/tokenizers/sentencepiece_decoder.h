#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "calibration/tokenizers/tokenizer.h"

namespace terse::calibration {

/// The text of a SentencePiece model's ids, as its own library puts it together: U+2581 becomes a space but for one in
/// front of the text, runs of byte pieces become their characters, bytes that make none U+FFFD each. Control pieces
/// are left out unless special tokens are asked for; ids that the vocabulary does not have always.
std::string decode_sentencepiece(const Vocabulary& vocabulary, std::span<const int32_t> ids,
                                 SpecialTokens special_tokens);

}  // namespace terse::calibration
