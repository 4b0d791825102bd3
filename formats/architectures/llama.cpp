#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"LlamaForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"LlamaForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"LlamaModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config);
  traits.qkv_bias = traits.attention_output_bias = bias_if(config, "attention_bias");
  traits.feed_forward_bias = bias_if(config, "mlp_bias");
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kLlama = {
    .model_type = "llama", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
