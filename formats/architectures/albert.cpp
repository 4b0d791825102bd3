#include <fmt/format.h>

#include <array>

#include "formats/architectures/bert_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"AlbertForMaskedLM", Head::masked_lm, "predictions.dense.weight"},
    HeadRow{"AlbertForPreTraining", Head::masked_lm, ""},
    HeadRow{"AlbertForSequenceClassification", Head::sequence_classification, "classifier.weight"},
    HeadRow{"AlbertForTokenClassification", Head::token_classification, ""},
    HeadRow{"AlbertModel", Head::features, ""},
};

/// Buffers, what the pre-training's second task leaves behind, and the pooler where the head needs none.
constexpr std::array<std::string_view, 4> kIgnored = {"position_ids", "sop_classifier", "albert.pooler",
                                                      "predictions.decoder.bias"};

constexpr EncoderNames kNames = {
    .model = "albert",
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .token_types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .projection = "encoder.embedding_hidden_mapping_in",
    .query = "attention.query",
    .key = "attention.key",
    .value = "attention.value",
    .attention_output = "attention.dense",
    .attention_norm = "attention.LayerNorm",
    .up = "ffn",
    .down = "ffn_output",
    .output_norm = "full_layer_layer_norm",
};

/// The layers fall into groups of equal weights; a group is one layer or several.
std::vector<std::string> layer_scopes(const JsonField& config) {
  const int64_t layers = get_layers(config, "num_hidden_layers");
  const int64_t groups = size_or(config, "num_hidden_groups", 1);
  const int64_t group_layers = size_or(config, "inner_group_num", 1);
  if (groups > layers || layers * group_layers > kMostLayers) {
    throw Error(Kind::input, "num_hidden_groups is {} and inner_group_num {}, too many for {} layers", groups,
                group_layers, layers);
  }
  const double layers_of_group = static_cast<double>(layers) / static_cast<double>(groups);
  std::vector<std::string> scopes;
  for (int64_t i = 0; i < layers * group_layers; ++i) {
    const int64_t layer = i / group_layers;
    const auto group = static_cast<int64_t>(static_cast<double>(layer) / layers_of_group);  // as transformers rounds it
    scopes.push_back(fmt::format("encoder.albert_layer_groups.{}.albert_layers.{}", group, i % group_layers));
  }
  return scopes;
}

/// Source: Lan et al. 2019, ALBERT, arXiv:1909.11942.
Graph build_albert(const JsonField& config, Weights& weights, Head head, const OpenOptions& /*options*/) {
  EncoderTraits traits = read_bert_like(config, "albert", "gelu_new");
  traits.names = kNames;
  traits.embeddings.width = read_size(config, "embedding_size");
  traits.heads = {.pooler = {"albert.pooler", "tanh"},
                  .before_logits = {"predictions.dense", traits.activation},
                  .logits_width = traits.embeddings.width,
                  .norm = "predictions.LayerNorm",
                  .decoder = "predictions.decoder.weight",
                  .decoder_bias = "predictions.bias"};
  traits.layers = layer_scopes(config);
  return build_encoder(traits, weights, head);
}

}  // namespace

constexpr FamilyRow kAlbert = {.model_type = "albert",
                               .heads = kHeads,
                               .signature = "encoder.embedding_hidden_mapping_in.weight",
                               .prefix = "albert.",
                               .ignored = kIgnored,
                               .build = build_albert};

}  // namespace terse::architectures
