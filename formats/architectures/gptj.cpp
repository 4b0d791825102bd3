#include <array>

#include "formats/architectures/gpt_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GPTJForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GPTJForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"GPTJModel", Head::features, ""},
};

/// The causal mask was a buffer once.
constexpr std::array<std::string_view, 3> kIgnored = {".attn.bias", ".attn.masked_bias", "lm_head."};

constexpr DecoderNames kNames = {
    .tokens = "transformer.wte",
    .layer = "transformer.h",
    .attention_norm = "ln_1",
    .q = "attn.q_proj",
    .k = "attn.k_proj",
    .v = "attn.v_proj",
    .attention_output = "attn.out_proj",
    .feed_forward_norm = "",
    .gate = "",
    .up = "mlp.fc_in",
    .down = "mlp.fc_out",
    .final_norm = "transformer.ln_f",
};

RotaryTraits read_rotary(const JsonField& config, int64_t head_size) {
  const int64_t dims = get_size(config, "rotary_dim");
  if (dims > head_size) {
    throw Error(Kind::input, "rotary_dim is {}, expected at most a head's {} dimensions", dims, head_size);
  }
  RotaryTraits rotary = rotary_traits({.where = "rotary_dim"}, dims);
  rotary.pairs = RotaryTraits::Pairs::neighbours;
  return rotary;
}

DecoderTraits read_traits(const JsonField& config) {
  DecoderTraits traits = read_gpt_like(config, kNames);
  traits.rotary = read_rotary(config, traits.layers.front().attention.head_size);
  traits.head_bias = Bias::always;
  traits.is_tied = config.flag_or("tie_word_embeddings", false);
  return traits;
}

/// Source: Wang and Komatsuzaki 2021, GPT-J-6B.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_traits(config), weights, head, options);
}

}  // namespace

constinit const FamilyRow kGptj = {.model_type = "gptj",
                                   .heads = kHeads,
                                   .signature = ".mlp.fc_in.weight",
                                   .prefix = "transformer.",
                                   .ignored = kIgnored,
                                   .build = build};

}  // namespace terse::architectures
