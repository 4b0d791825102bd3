#include "formats/safetensors/config_text.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "formats/error.h"
#include "formats/json_fields.h"

namespace terse::safetensors {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kQuantization = "quantization_config";
constexpr std::array<std::string_view, 2> kTypeKeys = {"dtype", "torch_dtype"};  // since transformers 5, and before

struct TypeRow {
  DType dtype;
  std::string_view name;
};
constexpr std::array kTypes = {
    TypeRow{DType::f32, "float32"},
    TypeRow{DType::f16, "float16"},
    TypeRow{DType::bf16, "bfloat16"},
    TypeRow{DType::f64, "float64"},
};

/// In the keys that the text has; in the one that all versions read if it has none.
void set_dtype(Json& config, DType dtype) {
  bool is_named = false;
  for (const std::string_view key : kTypeKeys) {
    if (config.contains(key)) {
      config[std::string(key)] = name_of_type(dtype);
      is_named = true;
    }
  }
  if (!is_named) {
    config["torch_dtype"] = name_of_type(dtype);
  }
}

}  // namespace

std::string_view name_of_type(DType dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.dtype == dtype) {
      return row.name;
    }
  }
  throw Error(Kind::unsupported, "weights of type {}, which config.json cannot name", name(dtype));
}

std::optional<DType> find_dtype_of_config(const std::string& config) {
  const nlohmann::json document = parse_json(config);
  for (const std::string_view key : kTypeKeys) {
    const auto field = JsonField(document, "").find(key);
    if (!field) {
      continue;
    }
    std::string_view text = field->text();
    text.remove_prefix(text.starts_with("torch.") ? 6 : 0);
    for (const TypeRow& row : kTypes) {
      if (row.name == text) {
        return row.dtype;
      }
    }
    throw Error(Kind::input, "{}: '{}' is no float type", key, text);
  }
  return std::nullopt;
}

std::string edit_config(const std::string& text, const ConfigEdit& edit) {
  Json config = Json::parse(text);
  const Json before = config;
  if (edit.dtype && find_dtype_of_config(text) != edit.dtype) {
    set_dtype(config, *edit.dtype);
  }
  if (!edit.quantization_config.empty()) {
    config[std::string(kQuantization)] = Json::parse(edit.quantization_config);
  } else {
    config.erase(std::string(kQuantization));
  }
  return config == before ? text : config.dump(2) + "\n";
}

}  // namespace terse::safetensors
