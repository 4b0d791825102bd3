#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/blocks/block_type.h"
#include "formats/encoding.h"
#include "formats/gguf/metadata.h"
#include "formats/tensor.h"

namespace terse::gguf {

/// A tensor of a GGUF file.
struct FileTensor {
  std::string name;
  BlockType type = BlockType::f32;
  Shape shape;  ///< slowest dimension first, as everywhere in terse: a linear's weight is [out, in]
  Tensor data;  ///< in the mapped file. Plain types: shape and type as they are; blocks: u8 [rows, bytes of a row]
};

/// What a GGUF model's file, or all of its files, hold.
struct File {
  uint32_t version = 0;  ///< of the (first) file's layout
  Metadata metadata;     ///< of the first file, without what describes the splitting
  std::vector<FileTensor> tensors;
  std::vector<std::filesystem::path> files;
  int64_t file_bytes = 0;  ///< of all files

  const FileTensor* find(std::string_view name) const;
};

/// Reads versions 2 and 3, little endian. The name of any part of a split model reads the whole model; the other parts
/// are expected beside it. No tensor's numbers are touched.
/// Errors:  io; input, naming file and key or tensor, for whatever contradicts itself or the file's size; unsupported
///          for other versions, big-endian files and unknown tensor types.
File read(const std::filesystem::path& path);

/// The tensor as a weight: dense or blocks. Shares the bytes.
EncodingPtr make_encoding(const FileTensor& tensor);

}  // namespace terse::gguf
