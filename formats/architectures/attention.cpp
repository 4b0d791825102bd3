#include "formats/architectures/attention.h"

#include <cmath>

namespace terse::architectures {
namespace {

std::vector<Attribute> attributes_of(const AttentionTraits& traits) {
  std::vector<Attribute> attributes = {{.name = "q_num_heads", .value = traits.heads},
                                       {.name = "kv_num_heads", .value = traits.kv_heads}};
  if (traits.order == Order::causal) {
    attributes.push_back({.name = "is_causal", .value = int64_t{1}});
  }
  if (traits.scale) {
    attributes.push_back({.name = "scale", .value = *traits.scale});
  }
  return attributes;
}

AttentionOutputs as_one_operator(OpBuilder& builder, const AttentionTraits& traits, const AttentionInputs& in) {
  std::vector<ValueId> inputs = {in.q, in.k, in.v};
  if (in.past_key == kNoValue) {
    if (in.bias != kNoValue) {
      inputs.push_back(in.bias);
    }
    return {.context = builder.op("Attention", inputs, attributes_of(traits))};
  }
  inputs.insert(inputs.end(), {in.bias, in.past_key, in.past_value});
  const auto outputs = builder.op_n("Attention", inputs, 3, attributes_of(traits));
  return {.context = outputs[0], .present_key = outputs[1], .present_value = outputs[2]};
}

/// [batch, tokens, kv_heads * size] as [batch, kv_heads, tokens, size], behind those of earlier tokens.
ValueId with_past(OpBuilder& builder, const AttentionTraits& traits, ValueId x, ValueId past) {
  const ValueId split = builder.reshape(x, {0, 0, traits.kv_heads, traits.head_size});
  const ValueId now = builder.transpose(split, {0, 2, 1, 3});
  return past == kNoValue ? now : builder.op("Concat", {past, now}, {{.name = "axis", .value = int64_t{2}}});
}

/// [batch, tokens, kv_heads * group * size] as [batch, kv_heads, group, tokens, size].
ValueId split_heads(OpBuilder& builder, const AttentionTraits& traits, ValueId x, int64_t group) {
  const ValueId split = builder.reshape(x, {0, 0, traits.kv_heads, group, traits.head_size});
  return builder.transpose(split, {0, 2, 3, 1, 4});
}

AttentionOutputs spelled_out(OpBuilder& builder, const AttentionTraits& traits, const AttentionInputs& in) {
  const int64_t group = traits.heads / traits.kv_heads;
  const ValueId q = split_heads(builder, traits, in.q, group);
  const ValueId keys = with_past(builder, traits, in.k, in.past_key);
  const ValueId values = with_past(builder, traits, in.v, in.past_value);
  const ValueId one_each = builder.ints({2});
  const ValueId k = builder.op("Unsqueeze", {builder.transpose(keys, {0, 1, 3, 2}), one_each});
  const ValueId v = builder.op("Unsqueeze", {values, one_each});
  const float scale = traits.scale.value_or(1 / std::sqrt(static_cast<float>(traits.head_size)));
  ValueId scores = builder.op("MatMul", {builder.mul(q, builder.scalar(scale / traits.softcap)), k});
  scores = builder.mul(builder.op("Tanh", {scores}), builder.scalar(traits.softcap));
  if (in.bias != kNoValue) {
    scores = builder.add(scores, builder.op("Unsqueeze", {in.bias, builder.ints({1})}));
  }
  const ValueId shares = builder.op("Softmax", {scores}, {{.name = "axis", .value = int64_t{-1}}});
  const ValueId context = builder.transpose(builder.op("MatMul", {shares, v}), {0, 3, 1, 2, 4});
  return {.context = builder.reshape(context, {0, 0, traits.heads * traits.head_size}),
          .present_key = keys,
          .present_value = values};
}

}  // namespace

AttentionOutputs attention(OpBuilder& builder, const AttentionTraits& traits, const AttentionInputs& inputs) {
  return traits.softcap > 0 ? spelled_out(builder, traits, inputs) : as_one_operator(builder, traits, inputs);
}

}  // namespace terse::architectures
