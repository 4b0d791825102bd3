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

  /// The file at `location`. Errors as of `companion_path`, and io.
  std::shared_ptr<const MappedFile> open(const std::string& location);

  int64_t total_bytes() const;

 private:
  std::filesystem::path model_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace terse::onnx
