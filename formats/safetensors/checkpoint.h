#pragma once

#include <filesystem>
#include <string_view>

#include "formats/model.h"

namespace terse::safetensors {

inline constexpr std::string_view kEncodings = "f32, f16, bf16";

/// Opens a checkpoint: a Hugging Face folder, or one of its weight files with config.json beside it. Canonical form,
/// roles assigned. Errors: as of read_weights and architectures::build, with the folder's name.
Model open(const std::filesystem::path& path, const OpenOptions& options);

/// What `write` would write, to the byte.
Layout layout(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

/// Writes a folder that transformers loads: weights, config.json, and what else lay beside the model's.
void write(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

/// Error unsupported if the model has no checkpoint behind it, or a weight's encoding cannot be written.
void check(const Model& model, const WriteOptions& options);

}  // namespace terse::safetensors
