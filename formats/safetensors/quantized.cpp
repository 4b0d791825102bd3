#include "formats/safetensors/quantized.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::safetensors {
namespace {

namespace fs = std::filesystem;

struct MethodRow {
  std::string_view name;  ///< `quant_method`
  void (*unpack)(NamedTensors& tensors, const JsonField& config);
};
constexpr std::array kMethods = {
    MethodRow{"awq", unpack_awq},
    MethodRow{"compressed-tensors", unpack_compressed_tensors},
    MethodRow{"fp8", unpack_float8},
    MethodRow{"gptq", unpack_gptq},
};

constexpr std::string_view kOldConfig = "quantize_config.json";  // of AutoGPTQ, beside a config.json without a word

const MethodRow& get_method(const std::string& name) {
  const auto* found = std::ranges::find(kMethods, name, &MethodRow::name);
  if (found == kMethods.end()) {
    std::string known;
    for (const MethodRow& row : kMethods) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
    }
    throw Error(
        Kind::unsupported,
        "quantization_config: quant_method '{}', this version reads {}: start from the model that was quantized", name,
        known);
  }
  return *found;
}

bool unpack_as_configured(NamedTensors& tensors, const std::string& config) {
  const nlohmann::json document = with_context("config.json", [&] { return parse_json(config); });
  const auto field = with_context("config.json", [&] { return JsonField(document, "").find("quantization_config"); });
  if (!field) {
    return false;
  }
  const MethodRow& method =
      with_context("config.json", [&]() -> const MethodRow& { return get_method(field->text_or("quant_method", "")); });
  method.unpack(tensors, *field);
  return true;
}

}  // namespace

void unpack(NamedTensors& tensors, const std::string& config, const fs::path& folder) {
  if (unpack_as_configured(tensors, config) || folder.empty() || !fs::exists(folder / kOldConfig)) {
    return;
  }
  const nlohmann::json old =
      with_context(std::string(kOldConfig), [&] { return parse_json(read_text(folder / kOldConfig)); });
  unpack_gptq(tensors, JsonField(old, "quantize_config"));
}

}  // namespace terse::safetensors
