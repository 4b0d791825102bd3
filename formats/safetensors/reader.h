#pragma once

#include <filesystem>

#include "formats/named_tensors.h"

namespace terse::safetensors {

/// Reads one .safetensors file. The tensors are views of it, aligned or not. Errors: io; input with the file's name if
/// anything in it is not as header.h draws it; unsupported for element types without a DType.
NamedTensors read(const std::filesystem::path& path);

/// Reads the files that an index names (model.safetensors.index.json), see formats/shards.h.
NamedTensors read_sharded(const std::filesystem::path& index);

}  // namespace terse::safetensors
