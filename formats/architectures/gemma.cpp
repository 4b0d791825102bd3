#include <array>

#include "formats/architectures/gemma_like.h"
#include "formats/architectures/rows.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GemmaForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GemmaForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"GemmaModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

/// Source: Gemma Team 2024, Gemma, arXiv:2403.08295.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_gemma_like(config), weights, head, options);
}

}  // namespace

constinit const FamilyRow kGemma = {
    .model_type = "gemma", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
