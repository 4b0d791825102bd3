#include "formats/onnx/external.h"

#include "formats/companion_path.h"

namespace terse::onnx {

std::shared_ptr<const MappedFile> ExternalFiles::open(const std::string& location) {
  auto& file = files_[location];
  if (file == nullptr) {
    file = MappedFile::open(companion_path(model_, location, "external data"));
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

}  // namespace terse::onnx
