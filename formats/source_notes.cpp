#include "formats/source_notes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/json_fields.h"

namespace terse {
namespace {

bool quantizes_activations(const JsonField& quantization) {
  const auto groups = quantization.find("config_groups");
  return groups && groups->value().is_object() && std::ranges::any_of(groups->value(), [](const nlohmann::json& group) {
           return group.is_object() && group.contains("input_activations") && !group["input_activations"].is_null();
         });
}

}  // namespace

std::vector<std::string> source_notes(const Model& model) {
  std::vector<std::string> notes;
  if (model.checkpoint == nullptr || model.checkpoint->config.empty()) {
    return notes;
  }
  const nlohmann::json document = parse_json(model.checkpoint->config);
  const auto quantization = JsonField(document, "").find("quantization_config");
  if (!quantization) {
    return notes;
  }
  if (quantizes_activations(*quantization)) {
    notes.emplace_back("quantization_config asks for quantized activations, which stay in floats");
  }
  if (quantization->find("kv_cache_scheme")) {
    notes.emplace_back("quantization_config asks for quantized keys and values in caches, which stay in floats");
  }
  return notes;
}

}  // namespace terse
