#pragma once

#include <filesystem>

#include "formats/vocabulary.h"

namespace terse::gguf {

/// The tokenizer of a checkpoint folder, in the form that says most about it: a SentencePiece model if there is one (it
/// has scores), with the added tokens and the tokens around texts of the other files. Errors: as read_vocabulary's.
Vocabulary read_source(const std::filesystem::path& folder);

}  // namespace terse::gguf
