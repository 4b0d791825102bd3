#pragma once

#include <vector>

#include "formats/roles_layers.h"
#include "formats/roles_linears.h"

namespace terse {

/// One use of a weight: where it is and what it does there.
struct WeightUse {
  ValueId weight = kNoValue;
  int position = 0;
  Role role;
  const Node* reader = nullptr;
};

/// Tables: what Gather and Slice read rows of.
void add_tables(const Flows& flows, std::vector<WeightUse>& uses);

/// Gains, shifts and biases, and inputs whose meaning their operator says. `roles` are those of the linears.
void add_vectors(const Flows& flows, const Layers& layers, const std::vector<Role>& roles,
                 std::vector<WeightUse>& uses);

}  // namespace terse
