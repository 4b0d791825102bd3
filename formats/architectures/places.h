#pragma once

#include <vector>

#include "formats/architectures/op_builder.h"

namespace terse::architectures {

// Rows in an order by expert and back. A place is one of the experts that a token goes through: place p is expert
// p % k of token p / k, if there are k.

struct Places {
  ValueId order = kNoValue;         ///< i64 [places]: all of them, expert by expert
  std::vector<ValueId> of_experts;  ///< i64 [n] each, ascending
};

/// `chosen`: i64 [places], the expert at each.
Places split_places(OpBuilder& builder, ValueId chosen, int64_t experts);

/// What the experts give for their places, [n, ...] each, in the order of places: [places, ...].
ValueId join_places(OpBuilder& builder, const Places& places, const std::vector<ValueId>& of_experts);

}  // namespace terse::architectures
