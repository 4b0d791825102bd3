#pragma once

#include <string_view>
#include <vector>

#include "formats/graph.h"
#include "passes/pass.h"

namespace terse::passes {

/// A group of weights that a selection can name beside roles and name patterns.
struct GroupRow {
  std::string_view name;
  std::string_view summary;
};

/// linears, tables, vocabulary, delicate, values, matrices.
std::span<const GroupRow> groups();

/// The name that users see: the display name, before roles were assigned the value's own.
std::string_view shown_name(const Value& value);

/// All float constants of rank 2 or more, in graph order: what passes can select, and what reports list.
std::vector<ValueId> matrices(const Graph& graph);

/// The matrices that any word of a list "q+down@0-3+*.mlp.*" stands for, in graph order: a role, a group or else a
/// pattern for display names, each of which may be held to layers, "@3" or "@0-3". Errors: as `select`.
std::vector<ValueId> find_weights(const Graph& graph, std::string_view words);

/// The matrices that a call's `only=`, `except=` and `layers=` select; without `only=` those of `PassRow::selects`.
/// Words are those of find_weights. A tied table has two roles: either selects it, and either excludes it.
/// Errors:  Kind::usage if a role or pattern, or a layer, matches no matrix. A group may be empty.
std::vector<ValueId> select(const Graph& graph, const Arguments& arguments, std::string_view default_group);

}  // namespace terse::passes
