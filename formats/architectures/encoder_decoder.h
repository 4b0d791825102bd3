#pragma once

#include <cstdint>
#include <string>

#include "formats/architectures/architecture.h"
#include "formats/architectures/blocks.h"

namespace terse::architectures {

enum class FeedForwardKind { plain, gated };

/// An encoder and a decoder as T5 has them, with T5's names of tensors: RMS norms in front of attention and
/// feed-forward, no biases of linears, scores without a scale and with a relative bias that all layers of a stack
/// share.
struct EncoderDecoderTraits {
  Size vocabulary, width, inner;
  Size heads, attention_width;  ///< attention_width = heads * the size of one
  int64_t encoder_layers = 0, decoder_layers = 0;
  Size buckets;
  int64_t greatest_distance = 0;
  float epsilon = 0;
  std::string activation;
  FeedForwardKind feed_forward = FeedForwardKind::plain;
  float logits_scale = 1;  ///< of what the head reads
  Tie tie = Tie::by_default;
};

/// Head::sequence_to_sequence_lm: inputs input_ids and attention_mask [batch, sequence], decoder_input_ids
/// [batch, decoder_sequence]; output logits [batch, decoder_sequence, vocabulary].
/// Head::features, of the encoder alone: the first two inputs; output last_hidden_state [batch, sequence, width].
Graph build_encoder_decoder(const EncoderDecoderTraits& traits, Weights& weights, Head head);

}  // namespace terse::architectures
