#pragma once

#include <filesystem>
#include <string>

#include "formats/json_fields.h"
#include "formats/named_tensors.h"

namespace terse::safetensors {

// Weights that a checkpoint stores as codes, in several tensors each. What kind of codes is said by config.json's
// quantization_config, and in older folders of AutoGPTQ by quantize_config.json. Each method is a file that draws its
// tensors and takes them out of `tensors.tensors`; the weights go into `tensors.encoded` under the names that they
// would have without codes ("model.layers.0.mlp.up_proj.weight").

/// Takes all weights with codes out of a checkpoint. `config` is config.json's text, `folder` where it lies, or empty.
/// Does nothing if nothing says that there are codes.
/// Errors: unsupported for other methods and forms; input for tensors that contradict each other, or are missing.
void unpack(NamedTensors& tensors, const std::string& config, const std::filesystem::path& folder = {});

// The methods, given their quantization_config.
void unpack_awq(NamedTensors& tensors, const JsonField& config);
void unpack_compressed_tensors(NamedTensors& tensors, const JsonField& config);
void unpack_float8(NamedTensors& tensors, const JsonField& config);
void unpack_gptq(NamedTensors& tensors, const JsonField& config);

}  // namespace terse::safetensors
