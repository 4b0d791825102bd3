#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"Qwen2ForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"Qwen2ForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"Qwen2Model", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

/// Source: Qwen Team 2024, Qwen2, arXiv:2407.10671.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config);
  traits.qkv_bias = Bias::always;
  set_windows(traits, read_late_windows(config, std::ssize(traits.layers)));
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kQwen2 = {
    .model_type = "qwen2", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
