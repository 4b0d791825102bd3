#include <array>

#include "formats/architectures/encoder.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"BertForMaskedLM", Head::masked_lm, "cls.predictions.transform.dense.weight"},
    HeadRow{"BertForPreTraining", Head::masked_lm, ""},
    HeadRow{"BertForSequenceClassification", Head::sequence_classification, "classifier.weight"},
    HeadRow{"BertForTokenClassification", Head::token_classification, ""},
    HeadRow{"BertModel", Head::features, ""},
};

/// Buffers; what the pre-training's second task, TinyBERT's distillation and heads that need no pooler leave behind.
constexpr std::array<std::string_view, 5> kIgnored = {"position_ids", "cls.seq_relationship", "fit_dense",
                                                      "pooler.dense", "cls.predictions.decoder.bias"};

constexpr EncoderNames kNames = {
    .model = "bert",
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .token_types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .attention_output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .output_norm = "output.LayerNorm",
};

/// Source: Devlin et al. 2018, BERT, arXiv:1810.04805.
Graph build_bert(const JsonField& config, Weights& weights, Head head, const OpenOptions& /*options*/) {
  if (const std::string type = config.text_or("position_embedding_type", "absolute"); type != "absolute") {
    throw Error(Kind::unsupported, "position_embedding_type is '{}', expected 'absolute'", type);
  }
  const std::string activation = config.text_or("hidden_act", "gelu");
  const EncoderTraits traits = {
      .names = kNames,
      .heads = {.pooler = {"bert.pooler.dense", "tanh"},
                .before_classifier = {},
                .before_logits = {"cls.predictions.transform.dense", activation},
                .norm = "cls.predictions.transform.LayerNorm",
                .decoder = "cls.predictions.decoder.weight",
                .decoder_bias = "cls.predictions.bias"},
      .vocabulary = read_size(config, "vocab_size"),
      .positions = read_size(config, "max_position_embeddings"),
      .width = read_size(config, "hidden_size"),
      .inner = read_size(config, "intermediate_size"),
      .token_types = read_size(config, "type_vocab_size"),
      .labels = {read_label_count(config), "id2label"},
      .embeddings = {.width = read_size(config, "hidden_size")},
      .layers = numbered("encoder.layer", get_layers(config, "num_hidden_layers")),
      .attention_heads = get_size(config, "num_attention_heads"),
      .epsilon = positive_or(config, "layer_norm_eps", 1e-12F),
      .activation = activation,
      .tie = read_tie(config),
  };
  return build_encoder(traits, weights, head);
}

}  // namespace

constexpr FamilyRow kBert = {.model_type = "bert",
                             .heads = kHeads,
                             .signature = "attention.self.query.weight",
                             .prefix = "bert.",
                             .ignored = kIgnored,
                             .build = build_bert};

}  // namespace terse::architectures
