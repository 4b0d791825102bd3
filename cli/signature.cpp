#include "cli/signature.h"

#include <algorithm>

namespace terse::cli {
namespace {

void set_metadata(Model& model, std::string_view key, std::string value) {
  const auto found = std::ranges::find(model.metadata, key, [](const auto& entry) { return entry.first; });
  if (found == model.metadata.end()) {
    model.metadata.emplace_back(key, std::move(value));
  } else {
    found->second = std::move(value);
  }
}

}  // namespace

Model copy_of(const Model& model) {
  Model result = model;
  result.graph = deep_copy(model.graph);
  return result;
}

void sign(Model& model, const std::string& pipeline, int64_t seed) {
  std::string text = pipeline;
  for (const auto& [key, value] : model.metadata) {
    if (key == "terse.pipeline") {
      text.insert(0, value + "\n");
    }
  }
  set_metadata(model, "terse.pipeline", text);
  set_metadata(model, "terse.version", TERSE_VERSION);
  set_metadata(model, "terse.seed", std::to_string(seed));
}

}  // namespace terse::cli
