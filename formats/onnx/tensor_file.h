#pragma once

#include <filesystem>

#include "formats/tensor.h"

namespace terse::onnx {

/// A tensor of its own file, as ONNX's test_data_set_* folders hold them (input_0.pb), with its name.
struct NamedTensor {
  std::string name;  ///< often empty
  Tensor tensor;
};

/// Errors: io; input or unsupported, naming the file.
NamedTensor read_tensor(const std::filesystem::path& path);

}  // namespace terse::onnx
