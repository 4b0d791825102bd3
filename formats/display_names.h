#pragma once

#include <vector>

#include "formats/graph.h"

namespace terse {

/// Gives every constant with roles its display name: its own name, or, if an exporter made that up, the module of the
/// node that `reader_of` names for it (indexed by value; null: none) and ".weight", for biases ".bias"; weights that
/// share a module say what they do, "model.layers.0.mlp.experts.down.weight". Unique among the graph's display names.
void assign_display_names(Graph& graph, const std::vector<const Node*>& reader_of);

}  // namespace terse
