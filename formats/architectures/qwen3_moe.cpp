#include <algorithm>
#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"Qwen3MoeForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"Qwen3MoeForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"Qwen3MoeModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

constexpr ExpertNames kExperts = {.router = "mlp.gate",
                                  .gate = "mlp.experts.{}.gate_proj",
                                  .up = "mlp.experts.{}.up_proj",
                                  .down = "mlp.experts.{}.down_proj"};

/// As transformers 5 has them in memory.
constexpr std::array kStacks = {
    StackRow{".mlp.experts.gate_up_proj", ".mlp.experts.{}.gate_proj.weight", ".mlp.experts.{}.up_proj.weight", false},
    StackRow{".mlp.experts.down_proj", ".mlp.experts.{}.down_proj.weight", {}, false},
};

/// The layers that mlp_only_layers lists, and those between every decoder_sparse_step'th, have a plain feed-forward.
void set_plain_layers(DecoderTraits& traits, const JsonField& config) {
  const auto step = config.find("decoder_sparse_step");
  const int64_t every = step ? step->whole(1, kMostLayers) : 1;
  const auto count = std::ssize(traits.layers);
  for (int64_t layer = 0; layer < count; ++layer) {
    traits.layers[static_cast<size_t>(layer)].has_experts = (layer + 1) % every == 0;
  }
  const auto plain = config.find("mlp_only_layers");
  for (size_t i = 0; plain && i < plain->array_size(); ++i) {
    traits.layers[static_cast<size_t>(plain->at(i).whole(0, count - 1))].has_experts = false;
  }
  const int64_t inner = get_size(config, "moe_intermediate_size");
  for (DecoderLayer& layer : traits.layers) {
    layer.inner = layer.has_experts ? inner : layer.inner;
  }
}

/// Source: Qwen Team 2025, Qwen3, arXiv:2505.09388.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config);
  traits.qkv_bias = traits.attention_output_bias = bias_if(config, "attention_bias");
  traits.names.q_norm = "self_attn.q_norm";
  traits.names.k_norm = "self_attn.k_norm";
  set_experts(traits, read_experts(config, kExperts, config.find("num_experts") ? "num_experts" : "num_local_experts"));
  traits.experts.shares = config.flag_or("norm_topk_prob", false) ? Shares::of_chosen : Shares::of_all;
  traits.keys.inner = "intermediate_size or moe_intermediate_size";
  set_plain_layers(traits, config);
  set_windows(traits, read_late_windows(config, std::ssize(traits.layers)));
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kQwen3Moe = {.model_type = "qwen3_moe",
                                       .heads = kHeads,
                                       .prefix = "model.",
                                       .ignored = kIgnored,
                                       .stacks = kStacks,
                                       .experts = &kExperts,
                                       .build = build};

}  // namespace terse::architectures
