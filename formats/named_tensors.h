#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/encoding.h"
#include "formats/tensor.h"

namespace terse {

/// How the rows of queries and keys lie that rotary positions turn in pairs (see row_order.h).
enum class RotaryRows {
  as_published,  ///< as the family has them in folders
  neighbours,    ///< row 2 i with row 2 i + 1 of a head, where the family has them half a head apart
};

/// What the weight files of a checkpoint hold: tensors by name, views of the mapped files.
struct NamedTensors {
  std::map<std::string, Tensor, std::less<>> tensors;
  std::map<std::string, EncodingPtr, std::less<>> encoded;   ///< weights that several tensors of the files stand for
  std::map<std::string, std::string, std::less<>> metadata;  ///< of the first file
  std::vector<std::filesystem::path> files;
  int64_t file_bytes = 0;  ///< of all files
  RotaryRows rotary_rows = RotaryRows::as_published;
};

/// Reads the weights of a checkpoint: of its folder (model.safetensors, else model.safetensors.index.json, else
/// pytorch_model.bin, else pytorch_model.bin.index.json), or one such file under any name of those endings.
/// Errors: input with the file's name, or naming what was looked for; io; unsupported.
NamedTensors read_weights(const std::filesystem::path& folder_or_file);

/// True if a folder has one of those files.
bool has_weights(const std::filesystem::path& folder);

/// Error input if a weight file is only Git LFS's pointer to it, as a clone without LFS leaves them.
void check_not_pointer(std::span<const std::byte> file);

/// A tensor of a reader: a view of the mapped file, but for booleans, which are copied and made 0 or 1, because C++ has
/// no others. Error input if the number of bytes does not fit the shape.
Tensor tensor_of_file(DType dtype, Shape shape, std::span<const std::byte> bytes,
                      const std::shared_ptr<const MappedFile>& file);

/// A tensor to be written: its place is planned from type and shape, its bytes are made when their turn comes.
struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::function<void(Sink&)> write;  ///< gives exactly the bytes of type and shape
};

/// A tensor to be written as it is. Its pages are given back behind the writer.
StoredTensor stored_tensor(std::string name, Tensor tensor);

}  // namespace terse
