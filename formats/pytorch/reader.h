#pragma once

#include <filesystem>

#include "formats/named_tensors.h"

namespace terse::pytorch {

/// Reads a state dict that torch.save wrote (pytorch_model.bin). Nothing that the file says is executed. Tensors are
/// views of the file, see state_dict.h for those that are not.
/// Errors, with the file's name: io; input if the file is broken; unsupported for files in the form before PyTorch 1.6,
/// for big-endian ones, and for pickles of more than tensors.
NamedTensors read(const std::filesystem::path& path);

/// Reads the files that an index names (pytorch_model.bin.index.json), see formats/shards.h.
NamedTensors read_sharded(const std::filesystem::path& index);

}  // namespace terse::pytorch
