#pragma once

#include <vector>

#include "formats/roles_flow.h"

namespace terse {

/// One attention: softmax(q k^T) v, spelled out or as one operator.
struct Attention {
  int position = 0;             ///< of its Softmax, or of the operator
  std::vector<size_t> q, k, v;  ///< the linears that make its operands; with adapters more than one each
  ValueId context = kNoValue;   ///< what it gives
  std::vector<size_t> output;   ///< the first linears behind it
  bool is_cross = false;        ///< k and v come from another sequence than q (or from a cache of it)
  int first_position = 0;       ///< of what its layer computes: its own norm, or what follows its input
  bool has_own_norm = false;    ///< its input is read by linears alone: the norm stands before, not behind
};

/// All attentions in the order of computation. One opens a layer unless it is a cross attention.
std::vector<Attention> find_attentions(const Flows& flows);

}  // namespace terse
