#include <array>

#include "formats/architectures/granite_like.h"
#include "formats/architectures/rows.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GraniteForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GraniteModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

/// Source: Granite Team 2024, Granite 3.0 Language Models.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_granite_like(config);
  traits.feed_forward_bias = bias_if(config, "mlp_bias");
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kGranite = {
    .model_type = "granite", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
