#pragma once

#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/gguf/family.h"

namespace terse::gguf {

/// What a GGUF file says of a checkpoint beside its tensors and their types: general.*, the architecture's numbers, the
/// tokenizer. That of a checkpoint that came from GGUF is its own. Adds what it cannot say to `notes`, a sentence each.
/// Errors: input if config.json is broken; unsupported if it asks for what llama.cpp does not compute.
Metadata make_metadata(const Checkpoint& checkpoint, const FamilyRow& family, std::vector<std::string>& notes);

/// A config.json that says what the file's metadata and tensors do. Errors: input, unsupported, naming the key.
std::string make_config(const File& file, const FamilyRow& family);

}  // namespace terse::gguf
