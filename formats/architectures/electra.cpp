#include <array>

#include "formats/architectures/bert_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"ElectraForPreTraining", Head::replaced_token_detection, "discriminator_predictions.dense.weight"},
    HeadRow{"ElectraForMaskedLM", Head::masked_lm, "generator_predictions.dense.weight"},
    HeadRow{"ElectraForSequenceClassification", Head::sequence_classification, "classifier.out_proj.weight"},
    HeadRow{"ElectraForTokenClassification", Head::token_classification, "classifier.weight"},
    HeadRow{"ElectraModel", Head::features, ""},
};

constexpr std::array<std::string_view, 1> kIgnored = {"position_ids"};

constexpr std::string_view kGelu = "gelu";  // of these heads, whatever hidden_act says

EncoderHeads heads(Head head, std::string_view activation, const Size& embedding) {
  const bool is_sequence = head == Head::sequence_classification;
  return {.before_classifier = {"classifier.dense", kGelu},
          .classifier = is_sequence ? "classifier.out_proj" : "classifier",
          .before_detector = {"discriminator_predictions.dense", activation},
          .detector = "discriminator_predictions.dense_prediction",
          .before_logits = {"generator_predictions.dense", kGelu},
          .logits_width = embedding,
          .norm = "generator_predictions.LayerNorm",
          .decoder = "generator_lm_head.weight",
          .decoder_bias = "generator_lm_head.bias"};
}

/// Source: Clark et al. 2020, ELECTRA, arXiv:2003.10555.
Graph build_electra(const JsonField& config, Weights& weights, Head head, const OpenOptions& /*options*/) {
  const Size embedding = read_size(config, "embedding_size");
  EncoderTraits traits = read_bert_like(config, "electra", "gelu");
  traits.heads = heads(head, traits.activation, embedding);
  traits.embeddings.width = embedding;
  if (embedding.value != traits.width.value) {
    traits.names.projection = "embeddings_project";
  }
  return build_encoder(traits, weights, head);
}

}  // namespace

constexpr FamilyRow kElectra = {.model_type = "electra",
                                .heads = kHeads,
                                .signature = "embeddings_project.weight",
                                .prefix = "electra.",
                                .ignored = kIgnored,
                                .build = build_electra};

}  // namespace terse::architectures
