#include "formats/named_tensors.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "formats/error.h"
#include "formats/pytorch/reader.h"
#include "formats/safetensors/reader.h"

namespace terse {
namespace {

namespace fs = std::filesystem;

/// A kind of weight file: its name in a checkpoint's folder and what other names of it end with.
struct WeightFile {
  std::string_view name, ending;
  NamedTensors (*read)(const fs::path& path);
};

/// The first that a folder has counts.
constexpr std::array kWeightFiles = {
    WeightFile{"model.safetensors", ".safetensors", safetensors::read},
    WeightFile{"model.safetensors.index.json", ".safetensors.index.json", safetensors::read_sharded},
    WeightFile{"pytorch_model.bin", ".bin", pytorch::read},
    WeightFile{"pytorch_model.bin.index.json", ".bin.index.json", pytorch::read_sharded},
};

std::string names_or_endings(std::string_view WeightFile::*field) {
  std::string list;
  for (const WeightFile& row : kWeightFiles) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", row.*field);
  }
  return list;
}

const WeightFile* find_weights(const fs::path& folder) {
  for (const WeightFile& row : kWeightFiles) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(folder / row.name, ignored))) {  // a link to nothing is an error of `read`
      return &row;
    }
  }
  return nullptr;
}

NamedTensors read_folder(const fs::path& folder) {
  if (const WeightFile* row = find_weights(folder)) {
    return row->read(folder / row->name);
  }
  throw Error(Kind::input, "{}: no weights, expected one of the files {}", folder.string(),
              names_or_endings(&WeightFile::name));
}

}  // namespace

NamedTensors read_weights(const fs::path& folder_or_file) {
  std::error_code ignored;
  if (fs::is_directory(folder_or_file, ignored)) {
    return read_folder(folder_or_file);
  }
  const std::string name = folder_or_file.filename().string();
  const auto* const row =
      std::ranges::find_if(kWeightFiles, [&](const WeightFile& r) { return name.ends_with(r.ending); });
  if (row == kWeightFiles.end()) {
    throw Error(Kind::input, "{}: not known to hold weights, expected a checkpoint's folder or a name that ends in {}",
                folder_or_file.string(), names_or_endings(&WeightFile::ending));
  }
  return row->read(folder_or_file);
}

bool has_weights(const fs::path& folder) { return find_weights(folder) != nullptr; }

void check_not_pointer(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.starts_with("version https://git-lfs")) {
    throw Error(Kind::input, "a Git LFS pointer, not the weights: fetch them with git lfs pull");
  }
}

Tensor tensor_of_file(DType dtype, Shape shape, std::span<const std::byte> bytes,
                      const std::shared_ptr<const MappedFile>& file) {
  Tensor view = Tensor::mapped(dtype, std::move(shape), bytes, file);
  if (dtype != DType::boolean) {
    return view;
  }
  Tensor copy = Tensor::uninitialized(dtype, view.shape());
  std::ranges::transform(bytes, copy.mutable_bytes().begin(),
                         [](std::byte b) { return b == std::byte{0} ? b : std::byte{1}; });
  return copy;
}

StoredTensor stored_tensor(std::string name, Tensor tensor) {
  const DType dtype = tensor.dtype();
  Shape shape = tensor.shape();
  const auto write = [tensor = std::move(tensor)](Sink& sink) {
    constexpr int64_t kTileBytes = 16 << 20;  // so much of a mapped file is in memory at once
    const int64_t size = std::ssize(tensor.bytes());
    for (int64_t at = 0; at < size; at += kTileBytes) {
      const int64_t length = std::min(kTileBytes, size - at);
      sink.write(tensor.bytes().subspan(static_cast<size_t>(at), static_cast<size_t>(length)));
      tensor.release_pages(at, length);
    }
  };
  return {std::move(name), dtype, std::move(shape), write};
}

}  // namespace terse
