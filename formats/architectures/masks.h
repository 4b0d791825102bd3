#pragma once

#include "formats/architectures/op_builder.h"

namespace terse::architectures {

/// Which keys a query may attend to, by their places: keys are counted from the first of the sequence, and the queries
/// are the last of them (there are more keys than queries where a cache holds those of earlier tokens).
enum class Order {
  any,     ///< all of them
  causal,  ///< none behind the query
};

struct Visibility {
  ValueId attention_mask = kNoValue;  ///< i64 [batch, keys]: 0 where a key is padding; kNoValue: there is no padding
  ValueId queries = kNoValue;         ///< i64 [1]: how many there are
  ValueId keys = kNoValue;            ///< i64 [1]
  Order order = Order::any;
  int64_t window = 0;  ///< a query sees its own key and the `window - 1` in front of it; 0: all. Needs Order::causal.
};

/// What is to be added to the scores, f32: 0 for keys that are seen, else the least finite float, so that a query that
/// sees no key at all (padding) gets the mean of the values, not NaN.
/// Shape:  [batch or 1, 1, queries, keys]: onnxruntime's Attention broadcasts neither queries nor keys.
ValueId attention_bias(OpBuilder& builder, const Visibility& visibility);

/// 0, 1, ... for each of the tokens of `ids` [batch, tokens]: i64 [tokens].
ValueId counted_positions(OpBuilder& builder, ValueId ids);

}  // namespace terse::architectures
