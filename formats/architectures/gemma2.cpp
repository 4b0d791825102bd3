#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "formats/architectures/gemma_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"Gemma2ForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"Gemma2ForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"Gemma2Model", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

constexpr int64_t kDefaultWindow = 4096;

/// Null is none.
float read_cap(const JsonField& config, std::string_view key, float absent) {
  return positive_or(config, key, config.value().contains(key) ? 0 : absent);
}

/// Files that name no types of layers mean every other one, from the first.
std::vector<int64_t> alternating_windows(const JsonField& config, int64_t layers) {
  std::vector<int64_t> windows = read_windows(config, layers, kDefaultWindow);
  for (size_t layer = 1; layer < windows.size() && !config.find("layer_types"); layer += 2) {
    windows[layer] = 0;
  }
  return windows;
}

/// Source: Gemma Team 2024, Gemma 2, arXiv:2408.00118.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_gemma_like(config);
  traits.names.after_attention_norm = "post_attention_layernorm";
  traits.names.feed_forward_norm = "pre_feedforward_layernorm";
  traits.names.after_feed_forward_norm = "post_feedforward_layernorm";
  traits.logits_soft_cap = read_cap(config, "final_logit_softcapping", 30);
  set_windows(traits, alternating_windows(config, std::ssize(traits.layers)));
  const float scale = 1 / std::sqrt(positive_or(config, "query_pre_attn_scalar", 256));
  for (DecoderLayer& layer : traits.layers) {
    layer.attention.scale = scale;
    layer.attention.softcap = read_cap(config, "attn_logit_softcapping", 50);
  }
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kGemma2 = {
    .model_type = "gemma2", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
