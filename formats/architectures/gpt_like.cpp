#include "formats/architectures/gpt_like.h"

#include "formats/config.h"

namespace terse::architectures {

DecoderTraits read_gpt_like(const JsonField& config, const DecoderNames& names, const GptLikeKeys& keys) {
  DecoderTraits traits{.names = names,
                       .keys = {.q = keys.hidden, .kv = keys.hidden, .qkv = "3 * n_embd", .inner = keys.inner}};
  traits.vocabulary = read_size(config, "vocab_size");
  traits.hidden = read_size(config, keys.hidden);
  const int64_t heads = get_size(config, keys.heads);
  const DecoderLayer layer = {
      .attention = {.heads = heads, .kv_heads = heads, .head_size = read_head_size(config, keys.hidden, keys.heads)},
      .inner = size_or(config, keys.inner, 4 * traits.hidden.value)};
  traits.layers.assign(static_cast<size_t>(get_layers(config, keys.layers)), layer);
  traits.norm = NormKind::layer;
  traits.epsilon = positive_or(config, "layer_norm_epsilon", 1e-5F);
  traits.activation = config.text_or("activation_function", "gelu_new");
  traits.feed_forward_bias = Bias::always;
  traits.is_tied = config.flag_or("tie_word_embeddings", true);
  traits.labels = {read_label_count(config), "id2label"};
  traits.padding = find_token(config, "pad_token_id");
  return traits;
}

}  // namespace terse::architectures
