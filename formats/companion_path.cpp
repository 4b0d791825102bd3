#include "formats/companion_path.h"

#include <algorithm>
#include <vector>

#include "formats/error.h"

namespace terse {
namespace {

namespace fs = std::filesystem;

void check_location(const fs::path& location, std::string_view what) {
  const bool leads_up = std::find(location.begin(), location.end(), "..") != location.end();
  if (location.empty() || location.is_absolute() || leads_up) {
    throw Error(Kind::input, "{} is at '{}', expected a relative path without '..'", what, location.string());
  }
}

/// The folder of `main` and the folder of the file that its path leads to.
std::vector<fs::path> folders_of(const fs::path& main) {
  std::vector<fs::path> folders;
  std::error_code error;
  if (const fs::path folder = fs::canonical(fs::absolute(main).parent_path(), error); !error) {
    folders.push_back(folder);
  }
  if (const fs::path file = fs::canonical(main, error); !error) {
    folders.push_back(file.parent_path());
  }
  return folders;
}

bool is_below(const fs::path& file, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

}  // namespace

fs::path companion_path(const fs::path& main, const std::string& location, std::string_view what) {
  check_location(location, what);
  const std::vector<fs::path> folders = folders_of(main);
  for (const fs::path& folder : folders) {
    std::error_code missing;
    fs::path target = fs::canonical(folder / location, missing);
    if (missing) {
      continue;
    }
    if (std::none_of(folders.begin(), folders.end(), [&](const fs::path& f) { return is_below(target, f); })) {
      throw Error(Kind::input, "{} '{}' is a link to {}, which is outside of the model's folder", what, location,
                  target.string());
    }
    return target;
  }
  throw Error(Kind::input, "{} '{}' is missing in {}", what, location, fs::absolute(main).parent_path().string());
}

}  // namespace terse
