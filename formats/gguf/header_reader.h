#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/blocks/block_type.h"
#include "formats/gguf/metadata.h"
#include "formats/tensor.h"

namespace terse::gguf {

/// Where a tensor lies, as its file's header says; checked against everything but the file's size and the other
/// tensors.
struct TensorPlace {
  std::string name;
  BlockType type = BlockType::f32;
  Shape shape;         ///< slowest dimension first
  int64_t offset = 0;  ///< from the beginning of the data
  int64_t bytes = 0;
};

struct Header {
  uint32_t version = 0;
  Metadata metadata;
  std::vector<TensorPlace> tensors;
  int64_t data_offset = 0;  ///< in the file
};

/// What stands before the data of a file. Errors as `read`'s.
Header read_header(std::span<const std::byte> file);

}  // namespace terse::gguf
