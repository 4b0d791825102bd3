#pragma once

#include <filesystem>

#include "formats/named_tensors.h"

namespace terse {

/// Reads the weights of a checkpoint in several files. The index is JSON: {"weight_map": {tensor: shard, ...}}, where
/// a shard is a file's path as `companion_path` takes it; whatever else it says is not read. `read` reads one shard.
/// Errors: input with the index's name for shards that are missing and for tensors that only the index or only a shard
/// knows; those of `read`.
NamedTensors read_shards(const std::filesystem::path& index, NamedTensors (*read)(const std::filesystem::path& shard));

}  // namespace terse
