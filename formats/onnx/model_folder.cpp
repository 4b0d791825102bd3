#include "formats/onnx/model_folder.h"

#include <algorithm>
#include <set>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/named_tensors.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/skeleton.h"

namespace terse::onnx {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".onnx";

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

constexpr int kDeepest = 3;  // folders in folders; whoever names a disk's root by mistake should not wait long

/// Every file of a folder and the folders in it, relative.
std::set<std::string> files_of(const fs::path& folder) {
  std::set<std::string> files;
  const fs::recursive_directory_iterator end;
  for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied); entry != end;
       ++entry) {
    std::error_code ignored;
    if (is_hidden(entry->path()) || entry.depth() >= kDeepest) {
      entry.disable_recursion_pending();
    }
    if (!is_hidden(entry->path()) && entry->is_regular_file(ignored)) {
      files.insert(entry->path().lexically_relative(folder).generic_string());
    }
  }
  return files;
}

class Locations {
 public:
  void visit(const ::onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) {
      visit(tensor);
    }
    for (const auto& node : graph.node()) {
      for (const auto& attribute : node.attribute()) {
        visit(attribute.t());
        visit(attribute.g());  // as deep as libprotobuf has parsed it
      }
    }
  }

  const std::set<std::string>& found() const { return found_; }

 private:
  void visit(const ::onnx::TensorProto& tensor) {
    for (const auto& entry : tensor.external_data()) {
      if (entry.key() == "location") {
        found_.insert(entry.value());
      }
    }
  }

  std::set<std::string> found_;
};

/// The files of external data that a model names, relative to its folder.
std::set<std::string> data_of(const fs::path& model) {
  return with_context(model.string(), [&] {
    ::onnx::ModelProto proto;
    if (!proto.ParseFromString(make_skeleton(*MappedFile::open(model)).bytes)) {
      throw Error(Kind::input, "not an ONNX model, or a damaged one");
    }
    Locations locations;
    locations.visit(proto.graph());
    return locations.found();
  });
}

ModelFolder sort_files(const fs::path& path, std::set<std::string> files) {
  ModelFolder folder{.path = path, .models = {}, .others = {}};
  std::ranges::copy_if(files, std::back_inserter(folder.models),
                       [](const std::string& name) { return name.ends_with(kExtension); });
  for (const std::string& model : folder.models) {
    files.erase(model);
    for (const std::string& location : data_of(path / model)) {
      files.erase((fs::path(model).parent_path() / location).lexically_normal().generic_string());
    }
  }
  folder.others.assign(files.begin(), files.end());
  return folder;
}

}  // namespace

std::optional<ModelFolder> find_model_folder(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored) || has_weights(path)) {
    return std::nullopt;
  }
  auto files = files_of(path);
  if (std::ranges::none_of(files, [](const std::string& name) { return name.ends_with(kExtension); })) {
    return std::nullopt;
  }
  return sort_files(path, std::move(files));
}

void check_replaceable(const fs::path& folder, const ModelFolder& by) {
  std::set<std::string> known(by.others.begin(), by.others.end());
  for (const std::string& model : by.models) {
    known.insert({model, model + ".data"});
  }
  for (const std::string& name : files_of(folder)) {
    if (!known.contains(name)) {
      throw Error(Kind::usage, "{}: has {}, which a new folder would not have: remove the folder first",
                  folder.string(), name);
    }
  }
}

}  // namespace terse::onnx
