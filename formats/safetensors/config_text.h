#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/tensor.h"

namespace terse::safetensors {

/// What of config.json must follow the weights.
struct ConfigEdit {
  std::optional<DType> dtype;       ///< the model's type, if its weights have been cast
  std::string quantization_config;  ///< JSON; empty: the model has no codes
};

/// "float16", as config.json calls it. Error unsupported for what is no float type.
std::string_view name_of_type(DType dtype);

/// The type that config.json says its model has. Error input if that is no name of a float type.
std::optional<DType> find_dtype_of_config(const std::string& config);

/// The text with the keys that must change changed, all others as and where they are. The same text if none must.
std::string edit_config(const std::string& config, const ConfigEdit& edit);

}  // namespace terse::safetensors
