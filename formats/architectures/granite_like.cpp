#include "formats/architectures/granite_like.h"

#include "formats/config.h"

namespace terse::architectures {

DecoderTraits read_granite_like(const JsonField& config) {
  DecoderTraits traits = read_llama_like(config);
  traits.qkv_bias = traits.attention_output_bias = bias_if(config, "attention_bias");
  traits.embedding_scale = number_or(config, "embedding_multiplier", 1);
  traits.residual_scale = number_or(config, "residual_multiplier", 1);
  traits.logits_scale = 1 / positive_or(config, "logits_scaling", 1);
  for (DecoderLayer& layer : traits.layers) {
    layer.attention.scale = number_or(config, "attention_multiplier", 1);
  }
  return traits;
}

}  // namespace terse::architectures
