#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"Qwen3ForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"Qwen3ForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"Qwen3Model", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

/// Source: Qwen Team 2025, Qwen3, arXiv:2505.09388.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config);
  traits.qkv_bias = traits.attention_output_bias = bias_if(config, "attention_bias");
  traits.names.q_norm = "self_attn.q_norm";
  traits.names.k_norm = "self_attn.k_norm";
  set_windows(traits, read_late_windows(config, std::ssize(traits.layers)));
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kQwen3 = {
    .model_type = "qwen3", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
