#include <array>
#include <cmath>

#include "formats/architectures/encoder_decoder.h"
#include "formats/architectures/rows.h"
#include "formats/architectures/t5_scale.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"T5ForConditionalGeneration", Head::sequence_to_sequence_lm, "decoder.final_layer_norm.weight"},
    HeadRow{"T5EncoderModel", Head::features, ""},
};

/// The stacks' own names of the shared table, and a table that the first version's files carry for nothing.
constexpr std::array<std::string_view, 2> kIgnored = {"embed_tokens.weight", "EncDecAttention.relative_attention_bias"};

struct FeedForwardConfig {
  FeedForwardKind kind = FeedForwardKind::plain;
  std::string activation;
};

/// "relu" of T5 1.0, "gated-gelu" of 1.1, whose gelu is the tanh form.
FeedForwardConfig read_feed_forward(const JsonField& config) {
  constexpr std::string_view kGated = "gated-";
  const std::string text = config.text_or("feed_forward_proj", "relu");
  if (!text.starts_with(kGated)) {
    return {FeedForwardKind::plain, text};
  }
  const std::string activation = text.substr(kGated.size());
  return {FeedForwardKind::gated, activation == "gelu" ? "gelu_new" : activation};
}

/// Source: Raffel et al. 2019, T5, arXiv:1910.10683; Shazeer 2020, GLU variants, arXiv:2002.05202.
Graph build_t5(const JsonField& config, Weights& weights, Head head, const OpenOptions& /*options*/) {
  const FeedForwardConfig feed_forward = read_feed_forward(config);
  const Size width = read_size(config, "d_model");
  const Size heads = read_size(config, "num_heads");
  const int64_t layers = get_layers(config, "num_layers");
  const EncoderDecoderTraits traits = {
      .vocabulary = read_size(config, "vocab_size"),
      .width = width,
      .inner = read_size(config, "d_ff"),
      .heads = heads,
      .attention_width = {heads.value * get_size(config, "d_kv"), "num_heads * d_kv"},
      .encoder_layers = layers,
      .decoder_layers = config.find("num_decoder_layers") ? get_layers(config, "num_decoder_layers") : layers,
      .buckets = read_size(config, "relative_attention_num_buckets"),
      .greatest_distance = size_or(config, "relative_attention_max_distance", 128),
      .epsilon = positive_or(config, "layer_norm_epsilon", 1e-6F),
      .activation = feed_forward.activation,
      .feed_forward = feed_forward.kind,
      .logits_scale = t5_logits_scale(config),
      .tie = read_tie(config),
  };
  return build_encoder_decoder(traits, weights, head);
}

}  // namespace

float t5_logits_scale(const JsonField& config) {
  const bool is_scaled = config.flag_or("scale_decoder_outputs", config.flag_or("tie_word_embeddings", true));
  return is_scaled ? static_cast<float>(1 / std::sqrt(static_cast<double>(get_size(config, "d_model")))) : 1;
}

constexpr FamilyRow kT5 = {.model_type = "t5",
                           .heads = kHeads,
                           .signature = "SelfAttention.relative_attention_bias.weight",
                           .prefix = "",
                           .ignored = kIgnored,
                           .build = build_t5};

}  // namespace terse::architectures
