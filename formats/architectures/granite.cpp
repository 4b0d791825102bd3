#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GraniteForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GraniteModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

/// Source: Granite Team 2024, Granite 3.0 Language Models.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config);
  traits.qkv_bias = traits.attention_output_bias = bias_if(config, "attention_bias");
  traits.feed_forward_bias = bias_if(config, "mlp_bias");
  traits.embedding_scale = number_or(config, "embedding_multiplier", 1);
  traits.residual_scale = number_or(config, "residual_multiplier", 1);
  traits.logits_scale = 1 / positive_or(config, "logits_scaling", 1);
  for (DecoderLayer& layer : traits.layers) {
    layer.attention.scale = number_or(config, "attention_multiplier", 1);
  }
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kGranite = {
    .model_type = "granite", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
