#include "formats/architectures/bert_like.h"

#include "formats/config.h"

namespace terse::architectures {

EncoderTraits read_bert_like(const JsonField& config, std::string_view model, std::string_view hidden_act) {
  EncoderTraits traits = {
      .names = kBertLikeNames,
      .heads = {},
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
      .activation = config.text_or("hidden_act", hidden_act),
      .tie = read_tie(config),
  };
  traits.names.model = model;
  return traits;
}

}  // namespace terse::architectures
