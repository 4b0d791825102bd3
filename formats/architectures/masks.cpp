#include "formats/architectures/masks.h"

#include <cassert>
#include <limits>

namespace terse::architectures {
namespace {

constexpr float kHidden = std::numeric_limits<float>::lowest();

ValueId to_scalar(OpBuilder& builder, ValueId count) { return builder.op("Squeeze", {count, builder.ints({0})}); }

/// `from`, ..., `to` - 1; both i64 [1].
ValueId range(OpBuilder& builder, ValueId from, ValueId to) {
  return builder.op("Range", {to_scalar(builder, from), to_scalar(builder, to), builder.integer(1)});
}

/// True where a key is no padding, [batch, 1, 1, keys].
ValueId unpadded(OpBuilder& builder, ValueId attention_mask) {
  const ValueId is_token = builder.cast(attention_mask, DType::boolean);
  return builder.op("Unsqueeze", {is_token, builder.ints({1, 2})});
}

/// True where the places of key and query permit, [queries, keys].
ValueId permitted(OpBuilder& builder, const Visibility& v) {
  const ValueId key = range(builder, builder.ints({0}), v.keys);
  const ValueId first_query = builder.op("Sub", {v.keys, v.queries});
  const ValueId query = builder.op("Unsqueeze", {range(builder, first_query, v.keys), builder.ints({1})});
  const ValueId is_past = builder.op("LessOrEqual", {key, query});
  if (v.window == 0) {
    return is_past;
  }
  const ValueId too_far = builder.op("Sub", {query, builder.integer(v.window)});
  return builder.op("And", {is_past, builder.op("Greater", {key, too_far})});
}

/// [batch, 1, 1, keys] as [batch, 1, queries, keys].
ValueId for_every_query(OpBuilder& builder, ValueId bias, ValueId queries) {
  const ValueId one = builder.ints({1});
  const ValueId shape = builder.op("Concat", {one, one, queries, one}, {{.name = "axis", .value = int64_t{0}}});
  return builder.op("Expand", {bias, shape});
}

}  // namespace

ValueId attention_bias(OpBuilder& builder, const Visibility& v) {
  assert(v.window == 0 || v.order == Order::causal);
  assert(v.order == Order::causal || v.attention_mask != kNoValue);
  const OpBuilder::Scope scope(builder, "attention_bias");
  const auto bias = [&](ValueId is_seen) {
    return builder.op("Where", {is_seen, builder.scalar(0), builder.scalar(kHidden)});
  };
  if (v.order == Order::any) {
    return for_every_query(builder, bias(unpadded(builder, v.attention_mask)), v.queries);
  }
  const ValueId in_place = builder.op("Unsqueeze", {permitted(builder, v), builder.ints({0, 1})});
  if (v.attention_mask == kNoValue) {
    return bias(in_place);
  }
  return bias(builder.op("And", {unpadded(builder, v.attention_mask), in_place}));
}

ValueId counted_positions(OpBuilder& builder, ValueId ids) {
  const OpBuilder::Scope scope(builder, "positions");
  return range(builder, builder.ints({0}), builder.dimension(ids, 1));
}

}  // namespace terse::architectures
