#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "formats/architectures/decoder.h"
#include "formats/architectures/openelm_sizes.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"OpenELMForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"OpenELMModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"pos_embedding.inv_freq", "lm_head."};

constexpr DecoderNames kNames = {
    .tokens = "transformer.token_embeddings",
    .layer = "transformer.layers",
    .attention_norm = "attn_norm",
    .qkv = "attn.qkv_proj",
    .q_norm = "attn.q_norm",
    .k_norm = "attn.k_norm",
    .attention_output = "attn.out_proj",
    .feed_forward_norm = "ffn_norm",
    .gate_up = "ffn.proj_1",
    .down = "ffn.proj_2",
    .final_norm = "transformer.norm",
};

constexpr DecoderKeys kKeys = {.q = "num_query_heads * head_dim",
                               .kv = "num_kv_heads * head_dim",
                               .qkv = "(num_query_heads + 2 * num_kv_heads) * head_dim",
                               .inner = "ffn_multipliers * model_dim"};

constexpr float kEpsilon = 1e-6F;  // no key of the configuration says it

void check(const JsonField& config) {
  for (const std::string_view key : {"normalize_qk_projections", "ffn_with_glu"}) {
    if (!config.flag_or(key, true)) {
      throw Error(Kind::unsupported, "{} is false, expected true", key);
    }
  }
  if (const std::string norm = config.text_or("normalization_layer_name", "rms_norm"); norm != "rms_norm") {
    throw Error(Kind::unsupported, "normalization_layer_name is '{}', expected 'rms_norm'", norm);
  }
}

/// A layer's entry of a list, or the one number for all layers.
JsonField of_layer(const JsonField& list, int64_t layer, int64_t layers) {
  if (!list.value().is_array()) {
    return list;
  }
  if (std::ssize(list.value()) != layers) {
    throw Error(Kind::input, "{} has {} entries, expected one for each of {} layers", list.where(), list.array_size(),
                layers);
  }
  return list.at(static_cast<size_t>(layer));
}

/// The multiple of the divisor that is nearest to the width that a multiplier asks for, but not much below it.
int64_t inner_width(double multiplier, int64_t hidden, int64_t divisor) {
  constexpr double kLeastShare = 0.9;
  const double asked = multiplier * static_cast<double>(hidden);
  const bool is_width = asked > 0 && asked <= static_cast<double>(kGreatestSize);  // NaN is none
  if (!is_width) {
    throw Error(Kind::input, "ffn_multipliers: {} times model_dim {} is no width", multiplier, hidden);
  }
  const auto nearest =
      static_cast<int64_t>(asked + static_cast<double>(divisor) / 2) / divisor * divisor;  // rounded as they do
  const int64_t width = std::max(divisor, nearest);
  return static_cast<double>(width) < kLeastShare * asked ? width + divisor : width;
}

std::vector<DecoderLayer> read_layers(const JsonField& config) {
  const int64_t head_size = get_size(config, "head_dim");
  std::vector<DecoderLayer> all;
  for (const OpenelmLayer& layer : read_openelm_layers(config)) {
    all.push_back({.attention = {.heads = layer.heads, .kv_heads = layer.kv_heads, .head_size = head_size},
                   .inner = layer.inner});
  }
  return all;
}

DecoderTraits read_traits(const JsonField& config) {
  check(config);
  DecoderTraits traits{.names = kNames, .keys = kKeys};
  traits.vocabulary = read_size(config, "vocab_size");
  traits.hidden = read_size(config, "model_dim");
  traits.layers = read_layers(config);
  const RopeConfig rope = {.where = "head_dim", .theta = positive_or(config, "rope_freq_constant", 10000)};
  traits.rotary = rotary_traits(rope, get_size(config, "head_dim"));
  traits.epsilon = kEpsilon;
  traits.activation = config.text_or("activation_fn_name", "swish");
  traits.is_tied = config.flag_or("share_input_output_layers", true);
  return traits;
}

/// Source: Mehta et al. 2024, OpenELM, arXiv:2404.14619.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_traits(config), weights, head, options);
}

}  // namespace

std::vector<OpenelmLayer> read_openelm_layers(const JsonField& config) {
  const int64_t layers = get_layers(config, "num_transformer_layers"), hidden = get_size(config, "model_dim");
  const int64_t divisor = size_or(config, "ffn_dim_divisor", 256);
  const JsonField heads = config.get("num_query_heads"), kv_heads = config.get("num_kv_heads");
  const JsonField multipliers = config.get("ffn_multipliers");
  std::vector<OpenelmLayer> all;
  for (int64_t i = 0; i < layers; ++i) {
    const OpenelmLayer layer = {.heads = of_layer(heads, i, layers).whole(1, kGreatestSize),
                                .kv_heads = of_layer(kv_heads, i, layers).whole(1, kGreatestSize),
                                .inner = inner_width(of_layer(multipliers, i, layers).number(), hidden, divisor)};
    if (layer.heads % layer.kv_heads != 0) {
      throw Error(Kind::input, "layer {} has {} num_query_heads, expected a multiple of its {} num_kv_heads", i,
                  layer.heads, layer.kv_heads);
    }
    all.push_back(layer);
  }
  return all;
}

constinit const FamilyRow kOpenelm = {.model_type = "openelm",
                                      .heads = kHeads,
                                      .signature = ".ffn.proj_1.weight",
                                      .prefix = "transformer.",
                                      .ignored = kIgnored,
                                      .build = build};

}  // namespace terse::architectures
