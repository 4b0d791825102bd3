#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/architectures/architecture.h"
#include "formats/architectures/blocks.h"

namespace terse::architectures {

/// activation(linear(x)) in front of an output. No name: there is none.
struct TransformTraits {
  std::string_view linear;
  std::string_view activation;
};

/// How the tensors of an encoder are called, without ".weight" and ".bias".
struct EncoderNames {
  std::string_view model;  ///< the scope of all but the heads: "bert"
  std::string_view words, positions, token_types, embedding_norm;
  std::string_view layers;  ///< each layer's scope is this, a dot and its number
  std::string_view query, key, value, attention_output, attention_norm;
  std::string_view up, down, output_norm;
};

/// What an encoder puts behind its last layer. Names in full: heads stand beside the model.
struct EncoderHeads {
  TransformTraits pooler;             ///< of the first token: pooler_output, and what a sequence's classifier reads
  TransformTraits before_classifier;  ///< of what a sequence's classifier would read otherwise
  std::string_view classifier = "classifier";
  TransformTraits before_logits;  ///< of a masked LM: then a norm, then the table of words as a linear
  std::string_view norm, decoder, decoder_bias;
};

/// An encoder that normalises behind its residual sums, with learned positions: BERT and its kin.
struct EncoderTraits {
  EncoderNames names;
  EncoderHeads heads;
  Size vocabulary, positions, width, inner;
  Size token_types;  ///< value 0: none
  Size labels;       ///< of classifiers
  int64_t layers = 0, attention_heads = 0;
  float epsilon = 0;
  std::string activation;
  Tie tie = Tie::by_default;
};

/// Inputs input_ids, attention_mask and, where there are types of tokens, token_type_ids, i64 [batch, sequence].
/// Output logits, or last_hidden_state and, if the checkpoint has a pooler, pooler_output.
Graph build_encoder(const EncoderTraits& traits, Weights& weights, Head head);

}  // namespace terse::architectures
