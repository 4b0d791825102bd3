#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/architectures/architecture.h"
#include "formats/architectures/attention.h"
#include "formats/architectures/blocks.h"
#include "formats/architectures/experts.h"
#include "formats/architectures/rotary.h"

namespace terse::architectures {

/// How a family calls its modules. Those of a layer go on from `layer` and the layer's number. Empty: it has none.
struct DecoderNames {
  std::string_view tokens = "model.embed_tokens";
  std::string_view positions;  ///< learned ones
  std::string_view layer = "model.layers";
  std::string_view attention_norm = "input_layernorm", after_attention_norm;
  std::string_view q = "self_attn.q_proj", k = "self_attn.k_proj", v = "self_attn.v_proj";
  std::string_view qkv;             ///< all three in one, rows in this order: then q, k, v are not read
  std::string_view q_norm, k_norm;  ///< of each head, in front of its rotation
  std::string_view attention_output = "self_attn.o_proj";
  /// Without a norm of its own the feed-forward reads what attention reads, and both are added in one step.
  std::string_view feed_forward_norm = "post_attention_layernorm", after_feed_forward_norm;
  std::string_view gate_up;  ///< both in one, gate's rows first: then gate and up are not read
  std::string_view gate = "mlp.gate_proj", up = "mlp.up_proj", down = "mlp.down_proj";
  std::string_view final_norm = "model.norm";
  std::string_view head = "lm_head", classifier = "score";
};

/// The configuration's keys that errors name where a tensor has another shape.
struct DecoderKeys {
  std::string_view q = "num_attention_heads * head_dim", kv = "num_key_value_heads * head_dim";
  std::string_view qkv = "(num_attention_heads + 2 * num_key_value_heads) * head_dim";
  std::string_view inner = "intermediate_size";
};

/// What may differ from layer to layer.
struct DecoderLayer {
  AttentionTraits attention;
  int64_t window = 0;  ///< see Visibility
  int64_t inner = 0;   ///< width of the feed-forward, or of an expert
  bool has_experts = false;
};

/// A decoder: tokens (and learned positions) -> layers of norm, attention, norm, feed-forward, each half with a
/// residual -> norm -> head. Further norms and factors are those of some families. A family is a set of these traits.
struct DecoderTraits {
  DecoderNames names;
  DecoderKeys keys;
  Size vocabulary, hidden;
  std::vector<DecoderLayer> layers;

  std::optional<RotaryTraits> rotary;
  Size positions;         ///< rows of the table of learned positions
  ExpertsTraits experts;  ///< of the layers that have some; width, inner and activation are the decoder's

  NormKind norm = NormKind::rms;
  float epsilon = 1e-6F;
  std::string activation = "silu";

  float embedding_scale = 1, residual_scale = 1;  ///< of the tokens' rows; of what each half adds
  float logits_scale = 1, logits_soft_cap = 0;    ///< see Blocks::soft_cap

  Bias qkv_bias = Bias::none, attention_output_bias = Bias::none, feed_forward_bias = Bias::none;
  Bias head_bias = Bias::none;
  Stored stored = Stored::out_in;  ///< the layers' linears
  bool is_tied = false;            ///< the head's weight is the tokens' table

  Size labels;                     ///< of sequence classification
  std::optional<int64_t> padding;  ///< the id of the padding token, by which a sequence's last token is found
};

/// One window (0: none) for each layer, as read_windows gives them.
void set_windows(DecoderTraits& traits, const std::vector<int64_t>& windows);

/// A mixture of such experts in each layer, in place of a feed-forward.
void set_experts(DecoderTraits& traits, const ExpertsTraits& experts);

/// The graph of a decoder.
///
/// Inputs:   input_ids, attention_mask, i64 [batch, sequence]; positions are counted from 0 in every row.
/// Outputs:  causal_lm: logits [batch, sequence, vocabulary]; features: last_hidden_state [batch, sequence, hidden];
///           sequence_classification: logits [batch, labels], from the last token that is no padding.
///
/// With KeyValueCache::inputs_and_outputs also: position_ids [batch, sequence], past_key_values.N.key and .value
/// [batch, kv_heads, past, head_size] for each layer N; outputs present.N.key and .value [batch, kv_heads, total,
/// head_size]; attention_mask is [batch, total] then, total = past + sequence.
Graph build_decoder(const DecoderTraits& traits, Weights& weights, Head head, const OpenOptions& options);

}  // namespace terse::architectures
