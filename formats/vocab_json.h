#pragma once

#include <string_view>

#include "formats/vocabulary.h"

namespace terse {

/// Reads GPT-2's two files, vocab.json and merges.txt, with what tokenizer_config.json beside them says (its text, or
/// empty): its class (GPT-2's or RoBERTa's), special and added tokens.
/// Errors: input; unsupported for a class that cuts text in another way, which these files do not say.
Vocabulary read_vocab_json(std::string_view vocab, std::string_view merges, std::string_view config);

}  // namespace terse
