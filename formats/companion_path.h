#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace terse {

/// Where the file is that the file `main` (a model, an index of shards) names as `location`: a relative path without
/// "..", below the folder of `main` or below the folder of the file that the path of `main` leads to (Hugging Face's
/// cache is made of symlinks). `what` is what errors call it: "external data", "shard". Error input for other
/// locations, for files that are missing and for symlinks that lead elsewhere.
std::filesystem::path companion_path(const std::filesystem::path& main, const std::string& location,
                                     std::string_view what);

}  // namespace terse
