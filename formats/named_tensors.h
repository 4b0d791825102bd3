#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/tensor.h"

namespace terse {

/// What the weight files of a checkpoint hold: tensors by name, views of the mapped files.
struct NamedTensors {
  std::map<std::string, Tensor, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;  ///< of the first file
  std::vector<std::filesystem::path> files;
  int64_t file_bytes = 0;  ///< of all files
};

/// Reads the weights of a checkpoint: model.safetensors, else its shards by model.safetensors.index.json, else
/// pytorch_model.bin, else its shards; or one such file by its own name. Errors: io; input, with the file's name, for
/// whatever it says wrongly, or if a folder has none of these.
NamedTensors read_weights(const std::filesystem::path& folder_or_file);

/// A tensor to be written: its place is planned from type and shape, its bytes are made when their turn comes.
struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::function<void(Sink&)> write;  ///< gives exactly the bytes of type and shape
};

}  // namespace terse
