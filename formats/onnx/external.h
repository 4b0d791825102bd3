#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "formats/bytes.h"

namespace terse::onnx {

/// The files of external data that a model's tensors name, each mapped once.
class ExternalFiles {
 public:
  explicit ExternalFiles(std::filesystem::path model) : model_(std::move(model)) {}

  /// The file at `location`: a relative path without "..", below the model's folder or below the folder of the file
  /// that the model's path leads to (Hugging Face's cache is made of symlinks). Errors: input for other locations, for
  /// files that are missing and for symlinks that lead elsewhere.
  std::shared_ptr<const MappedFile> open(const std::string& location);

  int64_t total_bytes() const;

 private:
  std::filesystem::path resolve(const std::string& location) const;

  std::filesystem::path model_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace terse::onnx
