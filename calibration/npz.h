#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "formats/tensor.h"

namespace terse::calibration {

/// All arrays of a NumPy archive (a zip file of .npy files) by name, without ".npy". In memory at once. Errors: io;
/// input or unsupported, naming file and array.
std::map<std::string, Tensor, std::less<>> read_npz(const std::filesystem::path& path);

}  // namespace terse::calibration
