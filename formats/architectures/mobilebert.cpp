#include <array>

#include "formats/architectures/encoder.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"MobileBertForMaskedLM", Head::masked_lm, "cls.predictions.transform.dense.weight"},
    HeadRow{"MobileBertForPreTraining", Head::masked_lm, ""},
    HeadRow{"MobileBertForSequenceClassification", Head::sequence_classification, "classifier.weight"},
    HeadRow{"MobileBertForTokenClassification", Head::token_classification, ""},
    HeadRow{"MobileBertModel", Head::features, ""},
};

/// Buffers, what the pre-training's second task leaves behind, and the pooler where the head needs none.
constexpr std::array<std::string_view, 4> kIgnored = {"position_ids", "cls.seq_relationship", "pooler.dense",
                                                      "cls.predictions.decoder.bias"};

constexpr EncoderNames kNames = {
    .model = "mobilebert",
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .token_types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .projection = "embeddings.embedding_transformation",
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .attention_output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .output_norm = "output.LayerNorm",
};

/// Variants of the paper's ablations, of which no weights were published.
void check(const JsonField& config) {
  struct FlagRow {
    std::string_view key;
    bool expected;
  };
  for (const auto& [key, expected] : {FlagRow{"use_bottleneck", true}, FlagRow{"key_query_shared_bottleneck", true},
                                      FlagRow{"use_bottleneck_attention", false}, FlagRow{"trigram_input", true}}) {
    if (config.flag_or(key, expected) != expected) {
      throw Error(Kind::unsupported, "{} is {}, expected {}", key, !expected, expected);
    }
  }
  if (const std::string type = config.text_or("normalization_type", "no_norm"); type != "no_norm") {
    throw Error(Kind::unsupported, "normalization_type is '{}', expected 'no_norm'", type);
  }
}

BottleneckTraits read_bottleneck(const JsonField& config) {
  return {.width = read_size(config, "intra_bottleneck_size"),
          .feed_forwards = config.get("num_feedforward_networks").whole(1, kMostLayers) - 1,
          .feed_forward = "ffn",
          .input = "bottleneck.input.dense",
          .input_norm = "bottleneck.input.LayerNorm",
          .attention = "bottleneck.attention.dense",
          .attention_norm = "bottleneck.attention.LayerNorm",
          .output = "output.bottleneck.dense",
          .output_norm = "output.bottleneck.LayerNorm"};
}

EncoderHeads read_heads_of(const JsonField& config, std::string_view activation) {
  const bool has_pooler = config.flag_or("classifier_activation", true);
  return {.pooler = has_pooler ? TransformTraits{"mobilebert.pooler.dense", "tanh"} : TransformTraits{},
          .before_logits = {"cls.predictions.transform.dense", activation},
          .norm = "cls.predictions.transform.LayerNorm",
          .decoder = "cls.predictions.decoder.weight",
          .decoder_bias = "cls.predictions.bias",
          .decoder_rest = "cls.predictions.dense.weight"};
}

/// Source: Sun et al. 2020, MobileBERT, arXiv:2004.02984.
Graph build_mobilebert(const JsonField& config, Weights& weights, Head head, const OpenOptions& /*options*/) {
  check(config);
  const std::string activation = config.text_or("hidden_act", "relu");
  const EncoderTraits traits = {
      .names = kNames,
      .heads = read_heads_of(config, activation),
      .vocabulary = read_size(config, "vocab_size"),
      .positions = read_size(config, "max_position_embeddings"),
      .width = read_size(config, "hidden_size"),
      .inner = read_size(config, "intermediate_size"),
      .token_types = read_size(config, "type_vocab_size"),
      .labels = {read_label_count(config), "id2label"},
      .embeddings = {.width = read_size(config, "embedding_size"), .projects = EmbeddingTraits::Projects::trigrams},
      .layers = numbered("encoder.layer", get_layers(config, "num_hidden_layers")),
      .attention_heads = get_size(config, "num_attention_heads"),
      .bottleneck = read_bottleneck(config),
      .norm = NormKind::none,
      .epsilon = positive_or(config, "layer_norm_eps", 1e-12F),
      .activation = activation,
      .tie = read_tie(config),
  };
  return build_encoder(traits, weights, head);
}

}  // namespace

constexpr FamilyRow kMobilebert = {.model_type = "mobilebert",
                                   .heads = kHeads,
                                   .signature = "embeddings.embedding_transformation.weight",
                                   .prefix = "mobilebert.",
                                   .ignored = kIgnored,
                                   .build = build_mobilebert};

}  // namespace terse::architectures
