#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/gguf/metadata.h"
#include "formats/json_fields.h"

namespace terse::gguf {

/// Puts the tokenizer of a checkpoint folder into metadata, as llama.cpp's converter writes it: `tokenizer.ggml.*` and
/// `tokenizer.chat_template`. Ids below `vocabulary_size` (the rows of the model's table) that no token has are
/// [PAD<id>] of type unused. `config` is config.json, for special tokens that tokenizer_config.json does not name. A
/// folder without a tokenizer gives the model "none". Errors: io; input for broken files and for tokens beyond the
/// table; unsupported, saying what, for tokenizers that
///         llama.cpp could not follow.
/// Returns what is lost of it, a sentence each.
std::vector<std::string> write_tokenizer(const std::filesystem::path& folder, const JsonField& config,
                                         int64_t vocabulary_size, Metadata& metadata);

}  // namespace terse::gguf
