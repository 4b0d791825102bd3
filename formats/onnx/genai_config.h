#pragma once

#include <string>
#include <string_view>

#include "formats/model.h"

namespace terse::onnx {

/// Whether the graph takes the keys and values of earlier tokens, as architectures::build_decoder makes it.
bool has_cache(const Graph& graph);

/// The genai_config.json by which onnxruntime-genai runs a decoder with a cache: sizes from the graph, special tokens
/// and the length of the context from the checkpoint's config.json, the way to search from its generation_config.json.
/// The new keys and values are the model's own: the runtime is told not to share one buffer for old and new ones.
/// Precondition: the graph has a cache, the model a checkpoint.
/// Errors: unsupported if the layers' caches differ in shape; input if one of the checkpoint's files is broken.
/// Source: onnxruntime-genai 0.18, src/config.cpp.
std::string genai_config(const Model& model, std::string_view filename);

}  // namespace terse::onnx
