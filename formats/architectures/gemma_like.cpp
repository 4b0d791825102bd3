#include "formats/architectures/gemma_like.h"

#include <cmath>

namespace terse::architectures {
namespace {

/// The first files say "gelu" and mean its tanh form, in which the models were trained.
std::string read_activation(const JsonField& config) {
  const std::string name = config.text_or("hidden_activation", config.text_or("hidden_act", "gelu_pytorch_tanh"));
  return name == "gelu" ? "gelu_pytorch_tanh" : name;
}

}  // namespace

DecoderTraits read_gemma_like(const JsonField& config) {
  DecoderTraits traits = read_llama_like(config);
  traits.embedding_scale = std::sqrt(static_cast<float>(traits.hidden.value));
  traits.norm = NormKind::rms_plus_one;
  traits.activation = read_activation(config);
  traits.qkv_bias = traits.attention_output_bias = bias_if(config, "attention_bias");
  traits.is_tied = config.flag_or("tie_word_embeddings", true);
  return traits;
}

}  // namespace terse::architectures
