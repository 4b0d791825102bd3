#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"PhiForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"PhiForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"PhiModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

constexpr double kRotatedShare = 0.5;  // of files that do not say it

DecoderTraits read_traits(const JsonField& config) {
  DecoderTraits traits = read_llama_like(config, {.rotated_share = kRotatedShare});
  traits.names.attention_output = "self_attn.dense";
  traits.names.feed_forward_norm = "";
  traits.names.gate = "";
  traits.names.up = "mlp.fc1";
  traits.names.down = "mlp.fc2";
  traits.names.final_norm = "model.final_layernorm";
  if (config.flag_or("qk_layernorm", false)) {
    traits.names.q_norm = "self_attn.q_layernorm";
    traits.names.k_norm = "self_attn.k_layernorm";
  }
  traits.norm = NormKind::layer;
  traits.epsilon = positive_or(config, "layer_norm_eps", 1e-5F);
  traits.activation = config.text_or("hidden_act", "gelu_new");
  traits.qkv_bias = traits.attention_output_bias = traits.feed_forward_bias = traits.head_bias = Bias::always;
  return traits;
}

/// Source: Javaheripi et al. 2023, Phi-2.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_traits(config), weights, head, options);
}

}  // namespace

constinit const FamilyRow kPhi = {
    .model_type = "phi", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
