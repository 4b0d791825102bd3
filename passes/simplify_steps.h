#pragma once

#include <optional>
#include <vector>

#include "formats/model.h"

namespace terse::passes {

// The steps of simplify. Each says whether it changed anything; nodes that have become needless are left behind as
// Identity or dead.

/// Computes nodes whose inputs are all constants.
bool fold_constants(Model& model);

/// Turns nodes that give their first input back into Identity.
bool remove_no_ops(Graph& graph);

/// Transpose of Transpose, Reshape of Reshape.
bool merge_chains(Graph& graph);

/// Equal nodes of one block, and equal constants of at most 64 KiB that have no roles.
bool merge_equal_nodes(Graph& graph);

/// The integers of a constant; nullopt if it is none, or of another type.
std::optional<std::vector<int64_t>> find_ints(const Graph& graph, ValueId id);

/// Makes `node` an Identity of one of its inputs.
void make_identity(Node& node, ValueId input);

/// A constant that a step may compute away or merge: dense, at most 64 KiB, and no weight.
bool is_small_constant(const Graph& graph, ValueId id);

}  // namespace terse::passes
