#include <array>

#include "formats/architectures/encoder.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"DistilBertForMaskedLM", Head::masked_lm, "vocab_transform.weight"},
    HeadRow{"DistilBertForSequenceClassification", Head::sequence_classification, "pre_classifier.weight"},
    HeadRow{"DistilBertForTokenClassification", Head::token_classification, "classifier.weight"},
    HeadRow{"DistilBertModel", Head::features, ""},
};

constexpr std::array<std::string_view, 1> kIgnored = {"position_ids"};

constexpr EncoderNames kNames = {
    .model = "distilbert",
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .query = "attention.q_lin",
    .key = "attention.k_lin",
    .value = "attention.v_lin",
    .attention_output = "attention.out_lin",
    .attention_norm = "sa_layer_norm",
    .up = "ffn.lin1",
    .down = "ffn.lin2",
    .output_norm = "output_layer_norm",
};

constexpr float kEpsilon = 1e-12F;  // no key of the configuration says it

/// Source: Sanh et al. 2019, DistilBERT, arXiv:1910.01108.
Graph build_distilbert(const JsonField& config, Weights& weights, Head head, const OpenOptions& /*options*/) {
  const std::string activation = config.text_or("activation", "gelu");
  const EncoderTraits traits = {
      .names = kNames,
      .heads = {.pooler = {},
                .before_classifier = {"pre_classifier", "relu"},
                .before_logits = {"vocab_transform", activation},
                .norm = "vocab_layer_norm",
                .decoder = "vocab_projector.weight",
                .decoder_bias = "vocab_projector.bias"},
      .vocabulary = read_size(config, "vocab_size"),
      .positions = read_size(config, "max_position_embeddings"),
      .width = read_size(config, "dim"),
      .inner = read_size(config, "hidden_dim"),
      .token_types = {},
      .labels = {read_label_count(config), "id2label"},
      .embeddings = {.width = read_size(config, "dim")},
      .layers = numbered("transformer.layer", get_layers(config, "n_layers")),
      .attention_heads = get_size(config, "n_heads"),
      .epsilon = kEpsilon,
      .activation = activation,
      .tie = read_tie(config),
  };
  return build_encoder(traits, weights, head);
}

}  // namespace

constexpr FamilyRow kDistilbert = {.model_type = "distilbert",
                                   .heads = kHeads,
                                   .signature = "attention.q_lin.weight",
                                   .prefix = "distilbert.",
                                   .ignored = kIgnored,
                                   .build = build_distilbert};

}  // namespace terse::architectures
