#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/blocks/block_type.h"
#include "formats/bytes.h"
#include "formats/gguf/metadata.h"

namespace terse::gguf {

/// A tensor to be written: its place is planned from type and shape, its bytes are made when their turn comes.
struct OutputTensor {
  std::string name;  ///< at most 63 bytes, or llama.cpp does not read it
  BlockType type = BlockType::f32;
  Shape shape;                       ///< slowest dimension first; rows are whole blocks
  std::function<void(Sink&)> write;  ///< gives exactly the bytes of type and shape
};

/// Where everything lies in a file that `write` makes.
struct FileLayout {
  struct Place {
    int64_t offset = 0;  ///< in the file
    int64_t bytes = 0;   ///< without padding
  };
  int64_t data_offset = 0;
  std::vector<Place> tensors;  ///< in their order
  int64_t total_bytes = 0;
};

/// Calls no tensor's `write`. Errors: input, naming key or tensor, for what a GGUF file cannot hold: names that are
/// empty, too long or there twice, more than 4 dimensions, rows of broken blocks, a bad `general.alignment`.
FileLayout layout(const Metadata& metadata, std::span<const OutputTensor> tensors);

/// Writes a file of version 3, complete or not at all. Errors: as `layout`; io; internal if a tensor gives other than
/// its bytes.
void write(const Metadata& metadata, std::span<const OutputTensor> tensors, const std::filesystem::path& path);

/// The same for tensors whose bytes come one by one, in their order, when the caller has them.
class FileWriter {
 public:
  /// No tensor's own `write` is called.
  FileWriter(const Metadata& metadata, std::vector<OutputTensor> tensors, const std::filesystem::path& path);

  void write_next(const std::function<void(Sink&)>& write);
  /// After the last tensor.
  void commit();

 private:
  std::vector<OutputTensor> tensors_;
  FileLayout layout_;
  AtomicFile file_;
  size_t next_ = 0;
};

}  // namespace terse::gguf
