#include <array>

#include "formats/architectures/bert_like.h"
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

/// Source: Devlin et al. 2018, BERT, arXiv:1810.04805.
Graph build_bert(const JsonField& config, Weights& weights, Head head, const OpenOptions& /*options*/) {
  if (const std::string type = config.text_or("position_embedding_type", "absolute"); type != "absolute") {
    throw Error(Kind::unsupported, "position_embedding_type is '{}', expected 'absolute'", type);
  }
  EncoderTraits traits = read_bert_like(config, "bert", "gelu");
  traits.heads = {.pooler = {"bert.pooler.dense", "tanh"},
                  .before_classifier = {},
                  .before_logits = {"cls.predictions.transform.dense", traits.activation},
                  .norm = "cls.predictions.transform.LayerNorm",
                  .decoder = "cls.predictions.decoder.weight",
                  .decoder_bias = "cls.predictions.bias"};
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
