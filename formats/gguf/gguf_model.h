#pragma once

#include <filesystem>

#include "formats/gguf/lowering.h"
#include "formats/model.h"

namespace terse::gguf {

/// Opens a model: its metadata say what config.json would, its tensors get the names that they have in folders, and the
/// graph is built from them. Rows of queries and keys stay as they lie: rotary pairs are neighbours. Canonical form,
/// roles assigned. Errors: as of read, get_family, make_config and architectures::build, with the file's name.
Model open(const std::filesystem::path& path, const OpenOptions& options);

/// What `write` would write, to the byte. Errors as of lower.
Layout layout(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

/// Writes a file that llama.cpp runs, complete or not at all.
void write(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

}  // namespace terse::gguf
