#include <array>

#include "formats/architectures/gpt_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"
#include "formats/error.h"

// Phi-1, 1.5 and 2 as they were first published, with code of their own: other names and keys than transformers' phi
// has for the same model, and queries, keys and values in one matrix.

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"PhiForCausalLM", Head::causal_lm, "lm_head.linear.weight"},
};

constexpr std::array<std::string_view, 1> kIgnored = {"rotary_emb.inv_freq"};

constexpr DecoderNames kNames = {
    .tokens = "transformer.embd.wte",
    .layer = "transformer.h",
    .attention_norm = "ln",
    .qkv = "mixer.Wqkv",
    .attention_output = "mixer.out_proj",
    .feed_forward_norm = "",
    .gate = "",
    .up = "mlp.fc1",
    .down = "mlp.fc2",
    .final_norm = "lm_head.ln",
    .head = "lm_head.linear",
};

DecoderTraits read_traits(const JsonField& config) {
  DecoderTraits traits = read_gpt_like(config, kNames);
  const int64_t head_size = traits.layers.front().attention.head_size, dims = get_size(config, "rotary_dim");
  if (dims > head_size) {
    throw Error(Kind::input, "rotary_dim is {}, expected at most a head's {} dimensions", dims, head_size);
  }
  if (const int64_t heads = traits.layers.front().attention.heads; size_or(config, "n_head_kv", heads) != heads) {
    throw Error(Kind::unsupported, "n_head_kv is {}, expected as many as n_head, which is {}",
                get_size(config, "n_head_kv"), heads);
  }
  traits.rotary = rotary_traits({.where = "rotary_dim"}, dims);
  traits.qkv_bias = traits.attention_output_bias = traits.head_bias = Bias::always;
  traits.is_tied = config.flag_or("tie_word_embeddings", false);
  return traits;
}

/// Source: Javaheripi et al. 2023, Phi-2.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_traits(config), weights, head, options);
}

}  // namespace

constinit const FamilyRow kPhiMsft = {
    .model_type = "phi-msft", .heads = kHeads, .signature = ".mixer.Wqkv.weight", .ignored = kIgnored, .build = build};

}  // namespace terse::architectures
