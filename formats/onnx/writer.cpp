#include "formats/onnx/writer.h"

#include <memory>

#include "formats/error.h"
#include "formats/onnx/layout.h"

namespace terse::onnx {
namespace {

/// Writes one initialiser's numbers; what comes out must be what was planned, or all offsets behind it are wrong.
void write_numbers(const FilePlan& plan, const Initializer& initializer, AtomicFile& file) {
  const int64_t before = file.written_bytes();
  initializer.write(file);
  const int64_t written = file.written_bytes() - before;
  if (written != initializer.bytes) {
    throw Error(Kind::internal, "initializer '{}': {} bytes were written, {} were planned",
                plan.lowered.graph.value(initializer.value).name, written, initializer.bytes);
  }
}

void write_data(const FilePlan& plan, AtomicFile& file) {
  for (size_t i = 0; i < plan.placements.size(); ++i) {
    const Placement& placement = plan.placements[i];
    if (placement.external) {
      file.write(std::string(static_cast<size_t>(placement.offset - file.written_bytes()), '\0'));
      write_numbers(plan, plan.lowered.initializers[i], file);
    }
  }
}

void write_model(const FilePlan& plan, AtomicFile& file) {
  file.write(plan.head);
  for (size_t i = 0; i < plan.placements.size(); ++i) {
    const Initializer& initializer = plan.lowered.initializers[i];
    file.write(plan.placements[i].head);
    if (!plan.placements[i].external && initializer.dtype != DType::string) {
      write_numbers(plan, initializer, file);
    }
  }
}

/// A committed data file that goes again if the model file does not come.
class DataFile {
 public:
  explicit DataFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~DataFile() {
    if (!kept_) {
      std::error_code ignored;
      std::filesystem::remove(path_, ignored);
    }
  }
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;
  void keep() { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

bool is_data_name(std::string_view name, std::string_view model_name) {
  const std::string prefix = std::string(model_name) + ".data";
  return name.starts_with(prefix) &&
         name.substr(prefix.size()).find_first_not_of("0123456789") == std::string_view::npos;
}

/// The data files of the model that was at `path` before. One that cannot be removed is no reason to fail: the new
/// model is complete.
void remove_old_data(const std::filesystem::path& path, std::string_view kept) {
  std::error_code ignored;
  std::vector<std::filesystem::path> old;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name != kept && is_data_name(name, path.filename().string())) {
      old.push_back(entry.path());
    }
  }
  for (const auto& file : old) {
    std::filesystem::remove(file, ignored);
  }
}

}  // namespace

void write(const Model& model, const std::filesystem::path& path, const WriteOptions& options) {
  const FilePlan plan = plan_files(model, path, options);
  const bool replaces = std::filesystem::exists(path);
  if (!plan.companions.empty() && path.has_parent_path()) {
    std::error_code ignored;  // the file in it says what is wrong
    std::filesystem::create_directory(path.parent_path(), ignored);
  }
  AtomicFile file(path);
  write_model(plan, file);
  for (const safetensors::FolderFile& companion : plan.companions) {
    safetensors::write_file(companion, path.parent_path());
  }
  if (plan.data_name.empty()) {
    file.commit();
  } else {
    const std::filesystem::path data_path = path.parent_path() / plan.data_name;
    AtomicFile data(data_path);
    write_data(plan, data);
    data.commit();
    DataFile guard(data_path);
    file.commit();
    guard.keep();
  }
  if (replaces) {
    remove_old_data(path, plan.data_name);
  }
}

}  // namespace terse::onnx
