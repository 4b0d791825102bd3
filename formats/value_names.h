#pragma once

#include <string>
#include <string_view>

#include "formats/graph.h"

namespace terse {

/// True for names that exporters invent for values, such as "val_76", "onnx::MatMul_9", "_to_copy_3" or
/// "/model/layers.0/Transpose_output_0"; false for the names of a model's parameters.
bool is_made_up(std::string_view name);

/// The module that a node computes a part of, as far as its exporter recorded it:
/// "model.layers.0.self_attn.q_proj". Empty if it did not. torch's default exporter keeps module paths in the nodes'
/// metadata, its TorchScript exporter in their names.
std::string scope_of(const Node& node);

}  // namespace terse
