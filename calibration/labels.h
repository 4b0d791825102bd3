#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "formats/model.h"

namespace terse::calibration {

/// Reads the classes of samples from a file of lines, blank ones left out: whole numbers, or names of `id2label` in the
/// config.json beside the model. Errors: io; input with the line's number for what is neither, names listed.
std::vector<int64_t> read_labels(const Model& model, const std::filesystem::path& file);

}  // namespace terse::calibration
