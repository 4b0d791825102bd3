#include <array>

#include "formats/architectures/bert_like.h"
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
  EncoderTraits traits = read_bert_like(config, "mobilebert", "relu");
  traits.names.projection = "embeddings.embedding_transformation";
  traits.heads = read_heads_of(config, traits.activation);
  traits.embeddings = {.width = read_size(config, "embedding_size"), .projects = EmbeddingTraits::Projects::trigrams};
  traits.bottleneck = read_bottleneck(config);
  traits.norm = NormKind::none;
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
