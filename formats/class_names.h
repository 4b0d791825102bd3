#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace terse {

/// What a classifier calls its classes: `id2label` of a config.json, by name. Empty if it says nothing. Errors: io;
/// input with the file's name.
std::map<std::string, int64_t, std::less<>> read_class_names(const std::filesystem::path& config);

}  // namespace terse
