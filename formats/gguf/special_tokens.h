#pragma once

#include <cstdint>

#include "formats/gguf/metadata.h"
#include "formats/json_fields.h"
#include "formats/text_settings.h"
#include "formats/vocabulary.h"

namespace terse::gguf {

/// Puts the ids of special tokens into metadata, and which of them stand around a text. A token that the tokenizer puts
/// there is the one that the file names, whatever the settings say. Error unsupported if it puts more than one there.
void set_special_tokens(const Vocabulary& vocabulary, const TextSettings& settings, const JsonField& config,
                        int64_t vocabulary_size, Metadata& metadata);

}  // namespace terse::gguf
