#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  std::string_view projection;  ///< a linear from the embeddings to the layers; empty: there is none
  std::string_view query, key, value, attention_output, attention_norm;
  std::string_view up, down, output_norm;
};

/// What an encoder puts behind its last layer. Names in full: heads stand beside the model.
struct EncoderHeads {
  TransformTraits pooler;             ///< of the first token: pooler_output, and what a sequence's classifier reads
  TransformTraits before_classifier;  ///< of what a sequence's classifier would read otherwise
  std::string_view classifier = "classifier";
  TransformTraits before_detector;  ///< of what tells replaced tokens from others: then a linear to one column
  std::string_view detector;
  TransformTraits before_logits;  ///< of a masked LM: then a norm, then the table of words as a linear
  Size logits_width;              ///< behind that transform; value 0: the layers' width
  std::string_view norm, decoder, decoder_bias;
  /// Of a masked LM whose transform is wider than the table: a table [vocabulary, the rest] of the columns that the
  /// other one lacks, which lies transposed in the file.
  std::string_view decoder_rest;
};

/// How words become what the first layer reads. The sum of words, positions and types of tokens is normalised.
struct EmbeddingTraits {
  enum class Projects {
    normalised,  ///< the projection reads the normalised sum: positions and types are as wide as words
    trigrams,    ///< it reads the next, this and the previous token's words: positions and types are as wide as layers
  };
  Size width;  ///< of the table of words
  Projects projects = Projects::normalised;
};

/// Layers that work in fewer columns than they hand on, as MobileBERT has them.
/// Source: Sun et al. 2020, MobileBERT, arXiv:2004.02984, section 3.
struct BottleneckTraits {
  Size width;
  int64_t feed_forwards = 0;  ///< in front of the layer's own, each in the scope feed_forward, a dot and its number
  std::string_view feed_forward;
  /// Linears and norms into the bottleneck, for the residual path and for queries and keys, and out of it.
  std::string_view input, input_norm, attention, attention_norm, output, output_norm;
};

/// An encoder that normalises behind its residual sums, with learned positions: BERT and its kin.
struct EncoderTraits {
  EncoderNames names;
  EncoderHeads heads;
  Size vocabulary, positions, width, inner;
  Size token_types;  ///< value 0: none
  Size labels;       ///< of classifiers
  EmbeddingTraits embeddings;
  std::vector<std::string> layers;  ///< the scope of each, in the order of computation: twice the same shares weights
  int64_t attention_heads = 0;
  std::optional<BottleneckTraits> bottleneck;
  NormKind norm = NormKind::layer;  ///< of embeddings and layers; a masked LM's head has always NormKind::layer
  float epsilon = 0;
  std::string activation;
  Tie tie = Tie::by_default;
};

/// SCOPE.0, SCOPE.1, ...
std::vector<std::string> numbered(std::string_view scope, int64_t count);

/// Inputs input_ids, attention_mask and, where there are types of tokens, token_type_ids, i64 [batch, sequence].
/// Output logits, or last_hidden_state and, if the checkpoint has a pooler, pooler_output.
Graph build_encoder(const EncoderTraits& traits, Weights& weights, Head head);

}  // namespace terse::architectures
