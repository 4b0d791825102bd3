#pragma once

#include <filesystem>

#include "formats/tensor.h"

namespace terse::onnx {

/// Reads a file that holds one TensorProto, such as input_0.pb of a test_data_set folder.
/// Errors: io if it cannot be opened, input for whatever it says wrongly, unsupported for element types that are not
///         known; all name the file.
/// Cost:   the file's bytes are held twice while it is read.
Tensor read_tensor(const std::filesystem::path& path);

}  // namespace terse::onnx
