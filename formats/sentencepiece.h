#pragma once

#include <cstddef>
#include <span>

#include "formats/vocabulary.h"

namespace terse {

/// Reads a SentencePiece model (a ModelProto, by convention *.model): BPE or Unigram. It adds no special tokens; what
/// does is tokenizer_config.json.
/// Errors: input, naming the piece; unsupported for models of words or characters.
Vocabulary read_sentencepiece(std::span<const std::byte> bytes);

}  // namespace terse
