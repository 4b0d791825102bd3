#include "formats/safetensors/checkpoint.h"

#include "formats/architectures/architecture.h"
#include "formats/error.h"

namespace terse::safetensors {

Model open(const std::filesystem::path& path, const OpenOptions& options) {
  const bool is_folder = std::filesystem::is_directory(path);
  const std::filesystem::path folder = is_folder ? path : path.parent_path();
  if (!std::filesystem::exists(folder / "config.json")) {
    throw Error(Kind::input, "{}: has no config.json, expected a checkpoint", folder.string());
  }
  std::string config = read_text(folder / "config.json");
  NamedTensors tensors = read_weights(path);
  return with_context(path.string(), [&] {
    Model model = architectures::build(folder, std::move(config), std::move(tensors), options);
    assign_roles(model.graph);
    model.path = path;
    model.format = "safetensors";
    return model;
  });
}

Layout layout(const Model& model, const std::filesystem::path& /*path*/, const WriteOptions& options) {
  check(model, options);
  return {};
}

void write(const Model& model, const std::filesystem::path& /*path*/, const WriteOptions& options) {
  check(model, options);
}

void check(const Model& model, const WriteOptions& /*options*/) {
  throw Error(Kind::unsupported, "{}: this version does not write checkpoint folders yet", model.path.string());
}

}  // namespace terse::safetensors
