#include <array>
#include <cmath>

#include "formats/architectures/gpt_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GPT2LMHeadModel", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GPT2ForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"GPT2Model", Head::features, ""},
};

/// The causal mask was a buffer once.
constexpr std::array<std::string_view, 3> kIgnored = {".attn.bias", ".attn.masked_bias", "lm_head."};

constexpr DecoderNames kNames = {
    .tokens = "transformer.wte",
    .positions = "transformer.wpe",
    .layer = "transformer.h",
    .attention_norm = "ln_1",
    .qkv = "attn.c_attn",
    .attention_output = "attn.c_proj",
    .feed_forward_norm = "ln_2",
    .gate = "",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .final_norm = "transformer.ln_f",
};

/// What the scores of a layer are multiplied by.
float score_scale(const JsonField& config, int64_t head_size, int64_t layer) {
  const float scale = config.flag_or("scale_attn_weights", true) ? 1 / std::sqrt(static_cast<float>(head_size)) : 1;
  return config.flag_or("scale_attn_by_inverse_layer_idx", false) ? scale / static_cast<float>(layer + 1) : scale;
}

DecoderTraits read_traits(const JsonField& config) {
  DecoderTraits traits = read_gpt_like(config, kNames);
  traits.positions = read_size(config, "n_positions");
  for (size_t layer = 0; layer < traits.layers.size(); ++layer) {
    AttentionTraits& attention = traits.layers[layer].attention;
    attention.scale = score_scale(config, attention.head_size, static_cast<int64_t>(layer));
  }
  traits.qkv_bias = traits.attention_output_bias = Bias::always;
  traits.stored = Stored::in_out;
  return traits;
}

Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_traits(config), weights, head, options);
}

}  // namespace

constinit const FamilyRow kGpt2 = {.model_type = "gpt2",
                                   .heads = kHeads,
                                   .signature = ".attn.c_attn.weight",
                                   .prefix = "transformer.",
                                   .ignored = kIgnored,
                                   .build = build};

}  // namespace terse::architectures
