#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/checkpoint.h"

namespace terse::safetensors {

/// A file of a checkpoint beside its weights and config.json.
struct FolderFile {
  std::string name;              ///< relative to the folder: "1_Pooling/config.json"
  std::filesystem::path source;  ///< the file to copy; empty: `text` is what it holds
  std::string text;

  int64_t bytes() const;
};

/// What of a checkpoint's folder belongs to the model and does not change with its weights: tokenizer, generation
/// config, chat templates, licences, notices, sentence-transformers' modules. Never code, never weights. By name.
std::vector<FolderFile> files_to_copy(const std::filesystem::path& folder);

/// The same for whatever a model was read from: of a GGUF file, its tokenizer.
std::vector<FolderFile> files_beside(const Checkpoint& checkpoint);

/// Writes one of them into `folder`.
void write_file(const FolderFile& file, const std::filesystem::path& folder);

/// Error usage unless `folder` is empty, or a checkpoint (has a config.json) with nothing in it that one written by
/// terse would not have: whoever replaces it removes all of it.
void check_replaceable(const std::filesystem::path& folder);

}  // namespace terse::safetensors
