#pragma once

#include <filesystem>
#include <string_view>

#include "formats/model.h"

namespace terse::safetensors {

/// What checkpoint folders can hold, for errors and help.
inline constexpr std::string_view kEncodings =
    "f32, f16, bf16; linears in 2, 4 and 8 bits per block or channel (compressed-tensors)";

/// Opens a checkpoint: a Hugging Face folder, or one of its weight files with config.json beside it. Weights that
/// compressed-tensors stores as codes are read as they are. Canonical form, roles assigned.
/// Errors: as of read_weights, unpack and architectures::build, with the folder's name.
Model open(const std::filesystem::path& path, const OpenOptions& options);

/// What `write` would write, to the byte. Error unsupported if the model has no checkpoint behind it, if a tensor of
/// the checkpoint is no constant of the graph any more, or if a weight's encoding cannot be written.
Layout layout(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

/// Writes a folder that transformers loads: weights, config.json, and what else lay beside the model's. It is complete
/// or absent; an older one is replaced (see check_replaceable).
void write(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

}  // namespace terse::safetensors
