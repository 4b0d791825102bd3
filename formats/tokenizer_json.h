#pragma once

#include <string_view>

#include "formats/vocabulary.h"

namespace terse {

/// Reads Hugging Face's tokenizer.json. Padding is left out: terse pads nothing.
/// Errors: input, naming the field, what it is and what was expected; unsupported, naming the part.
Vocabulary read_tokenizer_json(std::string_view text);

}  // namespace terse
