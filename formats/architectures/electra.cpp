#include <array>

#include "formats/architectures/encoder.h"
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

constexpr EncoderNames kNames = {
    .model = "electra",
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
  const std::string activation = config.text_or("hidden_act", "gelu");
  const Size embedding = read_size(config, "embedding_size");
  EncoderTraits traits = {
      .names = kNames,
      .heads = heads(head, activation, embedding),
      .vocabulary = read_size(config, "vocab_size"),
      .positions = read_size(config, "max_position_embeddings"),
      .width = read_size(config, "hidden_size"),
      .inner = read_size(config, "intermediate_size"),
      .token_types = read_size(config, "type_vocab_size"),
      .labels = {read_label_count(config), "id2label"},
      .embeddings = {.width = embedding},
      .layers = numbered("encoder.layer", get_layers(config, "num_hidden_layers")),
      .attention_heads = get_size(config, "num_attention_heads"),
      .epsilon = positive_or(config, "layer_norm_eps", 1e-12F),
      .activation = activation,
      .tie = read_tie(config),
  };
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
