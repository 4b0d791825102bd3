#include "formats/architectures/llama_like.h"

#include <algorithm>

#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr int64_t kMostExperts = 1024;  // a node or ten for each, in each layer

}  // namespace

Bias bias_if(const JsonField& config, std::string_view key) {
  return config.flag_or(key, false) ? Bias::always : Bias::none;
}

ExpertsTraits read_experts(const JsonField& config, const ExpertNames& names, std::string_view count_key) {
  constexpr std::string_view kChosen = "num_experts_per_tok";
  ExpertsTraits traits{.names = names};
  traits.count = {config.get(count_key).whole(1, kMostExperts), count_key};
  traits.chosen = {config.get(kChosen).whole(1, traits.count.value), kChosen};
  return traits;
}

std::vector<int64_t> read_late_windows(const JsonField& config, int64_t layers) {
  if (!config.flag_or("use_sliding_window", false)) {
    return std::vector<int64_t>(static_cast<size_t>(layers), 0);
  }
  std::vector<int64_t> windows = read_windows(config, layers);
  const int64_t first = config.find("layer_types") ? 0 : config.get("max_window_layers").whole(0, kMostLayers);
  std::fill_n(windows.begin(), std::min(first, layers), 0);
  return windows;
}

DecoderTraits read_llama_like(const JsonField& config, const RopeDefaults& defaults) {
  DecoderTraits traits;
  traits.vocabulary = {get_size(config, "vocab_size"), "vocab_size"};
  traits.hidden = {get_size(config, "hidden_size"), "hidden_size"};
  const HeadSizes heads = read_heads(config);
  const DecoderLayer layer = {
      .attention = {.heads = heads.heads, .kv_heads = heads.kv_heads, .head_size = heads.head_size},
      .inner = get_size(config, "intermediate_size")};
  traits.layers.assign(static_cast<size_t>(get_layers(config, "num_hidden_layers")), layer);
  traits.rotary = rotary_traits(read_rope(config, defaults), heads.head_size);
  traits.epsilon = positive_or(config, "rms_norm_eps", 1e-6F);
  traits.activation = config.text_or("hidden_act", "silu");
  traits.is_tied = config.flag_or("tie_word_embeddings", false);
  traits.labels = {read_label_count(config), "id2label"};
  traits.padding = find_token(config, "pad_token_id");
  return traits;
}

}  // namespace terse::architectures
