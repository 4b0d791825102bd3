#include <array>
#include <cmath>

#include "formats/architectures/decoder.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GPT2LMHeadModel", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GPT2ForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"GPT2Model", Head::features, ""},
};

/// The causal mask was a buffer once.
constexpr std::array<std::string_view, 3> kIgnored = {".attn.bias", ".attn.masked_bias", "lm_head."};

constexpr DecoderNames kNames = {
    .tokens = "transformer.wte",
    .positions = "transformer.wpe",
    .layer = "transformer.h",
    .attention_norm = "ln_1",
    .qkv = "attn.c_attn",
    .attention_output = "attn.c_proj",
    .feed_forward_norm = "ln_2",
    .gate = "",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .final_norm = "transformer.ln_f",
};

constexpr DecoderKeys kKeys = {.q = "n_embd", .kv = "n_embd", .qkv = "3 * n_embd", .inner = "n_inner"};

/// What the scores of a layer are multiplied by.
float score_scale(const JsonField& config, int64_t head_size, int64_t layer) {
  const float scale = config.flag_or("scale_attn_weights", true) ? 1 / std::sqrt(static_cast<float>(head_size)) : 1;
  return config.flag_or("scale_attn_by_inverse_layer_idx", false) ? scale / static_cast<float>(layer + 1) : scale;
}

std::vector<DecoderLayer> read_layers(const JsonField& config, int64_t hidden) {
  const int64_t heads = get_size(config, "n_head");
  const int64_t head_size = read_head_size(config, "n_embd", "n_head");
  const int64_t inner = size_or(config, "n_inner", 4 * hidden);
  std::vector<DecoderLayer> layers;
  for (int64_t layer = 0; layer < get_layers(config, "n_layer"); ++layer) {
    layers.push_back({.attention = {.heads = heads,
                                    .kv_heads = heads,
                                    .head_size = head_size,
                                    .scale = score_scale(config, head_size, layer)},
                      .inner = inner});
  }
  return layers;
}

DecoderTraits read_traits(const JsonField& config) {
  DecoderTraits traits{.names = kNames, .keys = kKeys};
  traits.vocabulary = {get_size(config, "vocab_size"), "vocab_size"};
  traits.hidden = {get_size(config, "n_embd"), "n_embd"};
  traits.positions = {get_size(config, "n_positions"), "n_positions"};
  traits.layers = read_layers(config, traits.hidden.value);
  traits.norm = NormKind::layer;
  traits.epsilon = positive_or(config, "layer_norm_epsilon", 1e-5F);
  traits.activation = config.text_or("activation_function", "gelu_new");
  traits.qkv_bias = traits.attention_output_bias = traits.feed_forward_bias = Bias::always;
  traits.stored = Stored::in_out;
  traits.is_tied = config.flag_or("tie_word_embeddings", true);
  traits.labels = {read_label_count(config), "id2label"};
  traits.padding = find_token(config, "pad_token_id");
  return traits;
}

Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_traits(config), weights, head, options);
}

}  // namespace

constinit const FamilyRow kGpt2 = {.model_type = "gpt2",
                                   .heads = kHeads,
                                   .signature = ".attn.c_attn.weight",
                                   .prefix = "transformer.",
                                   .ignored = kIgnored,
                                   .build = build};

}  // namespace terse::architectures
