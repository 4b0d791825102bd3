#pragma once

#include <vector>

#include "formats/roles.h"
#include "formats/roles_attention.h"

namespace terse {

/// The role of every linear of `flows.linears()`, layers and experts included.
std::vector<Role> find_linear_roles(const Flows& flows, const std::vector<Attention>& attentions);

/// Rows of the largest table that is indexed by a graph input; 0 if there is none.
int64_t vocabulary_rows(const Flows& flows);

/// What the indices of a table are.
enum class Indices {
  tokens,     ///< an integer graph input, only moved on the way
  positions,  ///< counted, or computed from shapes, masks or constants
  experts,    ///< chosen by TopK
};
Indices indices_of(const Flows& flows, ValueId indices);

}  // namespace terse
