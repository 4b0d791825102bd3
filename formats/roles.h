#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace terse {

struct Graph;

/// What a weight does in a language model. Names as users write them in `only=` and `except=`.
enum class RoleKind {
  embedding,
  position,
  q,
  k,
  v,
  qkv,
  attention_output,
  gate,
  up,
  gate_up,
  down,
  router,
  head,
  pooler,
  classifier,
  norm,
  bias,
  other,
};

struct Role {
  RoleKind kind = RoleKind::other;
  int layer = -1;   ///< counted from 0 in the order of computation; -1: in no layer
  int expert = -1;  ///< -1: not an expert's, or all experts in one tensor
  friend bool operator==(const Role&, const Role&) = default;
};

std::string_view name(RoleKind kind);
std::optional<RoleKind> find_role_kind(std::string_view name);

/// Gives every initialiser of a float type its roles (one for each distinct role among its uses: a tied table is
/// embedding and head) and its display name, from the flow of data alone (DESIGN.md: "Roles come from dataflow").
/// Expects canonical form. Called once, at load.
void assign_roles(Graph& graph);

}  // namespace terse
