#pragma once

#include <cstdint>
#include <optional>

#include "formats/architectures/masks.h"
#include "formats/architectures/op_builder.h"

namespace terse::architectures {

struct AttentionTraits {
  int64_t heads = 0;
  int64_t kv_heads = 0;  ///< divides heads: so many queries' heads share one of keys and values
  int64_t head_size = 0;
  std::optional<float> scale;  ///< of the scores; absent: 1 / sqrt(head_size)
  float softcap = 0;           ///< scores s become softcap * tanh(s / softcap) before the bias is added; 0: they stay
  Order order = Order::any;
};

/// What attention reads. Queries, keys, values: [batch, tokens, heads * head_size], keys and values with kv_heads.
struct AttentionInputs {
  ValueId q = kNoValue, k = kNoValue, v = kNoValue;
  /// Added to the scores, [batch or 1, heads or 1, queries, keys]: see attention_bias. kNoValue: none.
  ValueId bias = kNoValue;
  /// Keys and values of earlier tokens, [batch, kv_heads, past, head_size]; both or neither.
  ValueId past_key = kNoValue, past_value = kNoValue;
};

struct AttentionOutputs {
  ValueId context = kNoValue;  ///< [batch, queries, heads * head_size]
  /// With a past: it and the new ones, [batch, kv_heads, past + tokens, head_size].
  ValueId present_key = kNoValue, present_value = kNoValue;
};

/// softmax(scale * q k^T + bias) v. Order::causal need not be in the bias, a window must be.
///
/// One operator, except with a soft cap: ONNX's Attention caps the scores after the mask was added, onnxruntime's
/// before; spelled out there is no doubt. Then Order::causal must be in the bias.
AttentionOutputs attention(OpBuilder& builder, const AttentionTraits& traits, const AttentionInputs& inputs);

}  // namespace terse::architectures
