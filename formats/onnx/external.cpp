#include "formats/onnx/external.h"

#include <algorithm>
#include <vector>

#include "formats/error.h"

namespace terse::onnx {
namespace {

namespace fs = std::filesystem;

void check_location(const fs::path& location) {
  const bool leads_up = std::find(location.begin(), location.end(), "..") != location.end();
  if (location.empty() || location.is_absolute() || leads_up) {
    throw Error(Kind::input, "external data is at '{}', expected a relative path without '..'", location.string());
  }
}

/// The model's folder and the folder of the file that its path leads to.
std::vector<fs::path> folders_of(const fs::path& model) {
  std::vector<fs::path> folders;
  std::error_code error;
  if (const fs::path folder = fs::canonical(fs::absolute(model).parent_path(), error); !error) {
    folders.push_back(folder);
  }
  if (const fs::path file = fs::canonical(model, error); !error) {
    folders.push_back(file.parent_path());
  }
  return folders;
}

bool is_below(const fs::path& file, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

}  // namespace

std::shared_ptr<const MappedFile> ExternalFiles::open(const std::string& location) {
  auto& file = files_[location];
  if (file == nullptr) {
    file = MappedFile::open(resolve(location));
  }
  return file;
}

int64_t ExternalFiles::total_bytes() const {
  int64_t total = 0;
  for (const auto& [location, file] : files_) {
    total += file == nullptr ? 0 : static_cast<int64_t>(file->bytes().size());
  }
  return total;
}

fs::path ExternalFiles::resolve(const std::string& location) const {
  check_location(location);
  const std::vector<fs::path> folders = folders_of(model_);
  for (const fs::path& folder : folders) {
    std::error_code missing;
    fs::path target = fs::canonical(folder / location, missing);
    if (missing) {
      continue;
    }
    if (std::none_of(folders.begin(), folders.end(), [&](const fs::path& f) { return is_below(target, f); })) {
      throw Error(Kind::input, "external data '{}' is a link to {}, which is outside of the model's folder", location,
                  target.string());
    }
    return target;
  }
  throw Error(Kind::input, "external data '{}' is missing in {}", location,
              fs::absolute(model_).parent_path().string());
}

}  // namespace terse::onnx
