#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "formats/named_tensors.h"

namespace terse::safetensors {

struct FileOptions {
  std::map<std::string, std::string, std::less<>> metadata;  ///< "format" is "pt" unless it says otherwise
  int64_t largest_bytes = 5'000'000'000;  ///< of a file; only a tensor that alone needs more gets more
};

/// A file to be written.
struct PlannedFile {
  std::string name;
  std::string head;             ///< all that comes before the tensors
  std::vector<size_t> tensors;  ///< positions in the list of tensors, in the order of the file
  int64_t bytes = 0;            ///< of the whole file
};

/// Plans model.safetensors, or, if it would pass options.largest_bytes, model-00001-of-0000N.safetensors and so on, and
/// at last model.safetensors.index.json. Tensors go to the shards in the order of their list, and inside of a file into
/// the order of huggingface's writer: it keeps all aligned, and gives the same file byte for byte (with one entry of
/// metadata: huggingface's order of several is random). Touches no data.
/// Errors: input for names that are empty, occur twice or are not UTF-8; unsupported for types that the format lacks
/// and for headers of more than 100 MB.
std::vector<PlannedFile> plan_files(std::span<const StoredTensor> tensors, const FileOptions& options);

/// Gives the bytes of `file` to `sink`. Error internal if a tensor gives another number of bytes than was planned.
void write_file(const PlannedFile& file, std::span<const StoredTensor> tensors, Sink& sink);

/// Writes all files into `folder`. None is there under its name before all are written.
void write_files(std::span<const PlannedFile> files, std::span<const StoredTensor> tensors,
                 const std::filesystem::path& folder);

}  // namespace terse::safetensors
