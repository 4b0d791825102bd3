#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace terse {

struct Graph;

/// What a weight does in a language model. Names as users write them in `only=` and `except=`.
enum class RoleKind {
  embedding,         ///< a table indexed by an integer graph input: tokens, token types
  position,          ///< a table indexed by counted or computed positions: learned, relative, rotary
  q,                 ///< makes the left operand of the attention's scores
  k,                 ///< makes the right operand of the scores
  v,                 ///< makes the right operand of the product behind their softmax
  qkv,               ///< makes at least two of these
  attention_output,  ///< the first linear behind the attention
  gate,              ///< of two linears of one value that meet in a product: the one behind an activation
  up,                ///< the other one; the first of a plain pair of linears with an activation between (fc1)
  gate_up,           ///< makes both, as halves of its output
  down,              ///< the linear behind gate and up, or behind up alone (fc2)
  router,            ///< chooses experts: feeds TopK
  head,              ///< makes an output with as many columns as the vocabulary has tokens
  pooler,            ///< reads one token, feeds an output or a classifier through an activation
  classifier,        ///< makes another output that is called logits or scores
  norm,              ///< gain or shift of a normalisation
  bias,              ///< a vector added to a linear's output
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
