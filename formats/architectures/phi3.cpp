#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"Phi3ForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"Phi3ForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"Phi3Model", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

/// Source: Abdin et al. 2024, Phi-3, arXiv:2404.14219.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config);
  traits.names.qkv = "self_attn.qkv_proj";
  traits.names.gate_up = "mlp.gate_up_proj";
  set_windows(traits, read_windows(config, std::ssize(traits.layers)));
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kPhi3 = {
    .model_type = "phi3", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
