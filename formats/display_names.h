#pragma once

#include <vector>

#include "formats/graph.h"

namespace terse {

/// Gives every float constant its display name: its own name, or, if an exporter made that up, the module of the node
/// that `reader_of` names for it (indexed by value; null: none), which ends with ".weight" or, for vectors that are
/// added, ".bias". Unique among the graph's display names.
void assign_display_names(Graph& graph, const std::vector<const Node*>& reader_of);

}  // namespace terse
