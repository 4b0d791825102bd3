#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"MistralForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"MistralForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"MistralModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

constexpr int64_t kDefaultWindow = 4096;

Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config);
  set_windows(traits, read_windows(config, std::ssize(traits.layers), kDefaultWindow));
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kMistral = {
    .model_type = "mistral", .heads = kHeads, .prefix = "model.", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
