#include <array>

#include "formats/architectures/gpt_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GPTNeoForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GPTNeoForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"GPTNeoModel", Head::features, ""},
};

/// The causal mask was a buffer once.
constexpr std::array<std::string_view, 3> kIgnored = {".attn.attention.bias", ".attn.attention.masked_bias",
                                                      "lm_head."};

constexpr DecoderNames kNames = {
    .tokens = "transformer.wte",
    .positions = "transformer.wpe",
    .layer = "transformer.h",
    .attention_norm = "ln_1",
    .q = "attn.attention.q_proj",
    .k = "attn.attention.k_proj",
    .v = "attn.attention.v_proj",
    .attention_output = "attn.attention.out_proj",
    .feed_forward_norm = "ln_2",
    .gate = "",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .final_norm = "transformer.ln_f",
};

constexpr GptLikeKeys kKeys = {
    .hidden = "hidden_size", .heads = "num_heads", .layers = "num_layers", .inner = "intermediate_size"};

int64_t window_of(const JsonField& type, int64_t window) {
  if (type.text() != "global" && type.text() != "local") {
    throw Error(Kind::unsupported, "{}: '{}' is neither global nor local", type.where(), type.text());
  }
  return type.text() == "local" ? window : 0;
}

/// `attention_types` lists runs: [[["global", "local"], 12]] are 24 layers in turn.
std::vector<int64_t> read_windows_of_runs(const JsonField& config, int64_t layers) {
  const int64_t window = size_or(config, "window_size", 256);
  const JsonField runs = config.get("attention_types");
  std::vector<int64_t> windows;
  for (size_t run = 0; run < runs.array_size(); ++run) {
    const JsonField types = runs.at(run).at(0);
    const int64_t times = runs.at(run).at(1).whole(1, layers);
    for (int64_t i = 0; i < times * static_cast<int64_t>(types.array_size()) && std::ssize(windows) <= layers; ++i) {
      windows.push_back(window_of(types.at(static_cast<size_t>(i) % types.array_size()), window));
    }
  }
  if (std::ssize(windows) != layers) {
    throw Error(Kind::input, "attention_types does not list as many layers as num_layers, which is {}", layers);
  }
  return windows;
}

DecoderTraits read_traits(const JsonField& config) {
  DecoderTraits traits = read_gpt_like(config, kNames, kKeys);
  traits.positions = read_size(config, "max_position_embeddings");
  for (DecoderLayer& layer : traits.layers) {
    layer.attention.scale = 1.0F;
  }
  set_windows(traits, read_windows_of_runs(config, std::ssize(traits.layers)));
  traits.attention_output_bias = Bias::always;
  return traits;
}

/// Source: Black et al. 2021, GPT-Neo.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  return build_decoder(read_traits(config), weights, head, options);
}

}  // namespace

constinit const FamilyRow kGptNeo = {.model_type = "gpt_neo",
                                     .heads = kHeads,
                                     .signature = ".attn.attention.q_proj.weight",
                                     .prefix = "transformer.",
                                     .ignored = kIgnored,
                                     .build = build};

}  // namespace terse::architectures
