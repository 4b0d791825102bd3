#pragma once

#include <string>
#include <vector>

#include "formats/gguf/metadata.h"
#include "formats/vocabulary.h"

namespace terse::gguf {

// Which white space beside added tokens goes with them. GGUF says nothing of it: llama.cpp knows Phi-3's tokens by the
// model's name (src/llama-vocab.cpp), and leaves all white space beside those of others.

/// Sets the flags of `vocabulary.added` as llama.cpp has them for a file with this metadata.
void set_stripping(const Metadata& metadata, Vocabulary& vocabulary);

/// Changes "general.name" if llama.cpp would look for tokens of Phi-3's that are not there, and not load the file.
void avoid_missing_tokens(Metadata& metadata);

/// What of a checkpoint's tokenizer is lost in a file with this metadata: a sentence, or nothing.
std::vector<std::string> stripping_notes(const Vocabulary& vocabulary, const Metadata& metadata);

}  // namespace terse::gguf
