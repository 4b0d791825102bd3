#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "formats/architectures/op_builder.h"
#include "formats/architectures/traits.h"
#include "formats/architectures/weights.h"

namespace terse::architectures {

enum class Bias {
  none,
  always,
  where_there,  ///< if the checkpoint has it: the configuration does not tell
};

struct LinearTraits {
  Size out, in;
  Bias bias = Bias::always;
  Stored stored = Stored::out_in;
};

enum class NormKind {
  layer,         ///< LayerNormalization with weight and bias
  rms,           ///< RMSNormalization with a weight
  rms_plus_one,  ///< the same times 1 + weight, as Gemma has it
  none,          ///< x * weight + bias alone, as MobileBERT has it
};

struct NormTraits {
  NormKind kind = NormKind::layer;
  Size width;
  float epsilon = 0;
};

/// down(activation(up(x))), or with a gate down(activation(gate(x)) * up(x)).
struct FeedForwardTraits {
  std::string_view gate_up;  ///< name of a linear that is both, gate's rows first; empty: none
  std::string_view gate;     ///< empty: none
  std::string_view up, down;
  std::string_view activation;  ///< see activations.h
  Size width, inner;
  Bias bias = Bias::always;
  Stored stored = Stored::out_in;
};

/// A weight that a head may share with the table of token embeddings.
struct HeadWeightTraits {
  std::string_view name;     ///< in full: "lm_head.weight"
  ValueId table = kNoValue;  ///< of the embeddings
  Size vocabulary, width;
  Tie tie = Tie::by_default;
};

/// What families share: operators with their weights. Names of weights go on from the builder's scope, as those of
/// modules do: in the scope "bert.encoder.layer.0" the linear "output.dense" has the weight
/// "bert.encoder.layer.0.output.dense.weight". What stands in front of what (norms before or behind) is the builders'.
class Blocks {
 public:
  Blocks(OpBuilder& builder, Weights& weights) : builder_(&builder), weights_(&weights) {}

  OpBuilder& builder() { return *builder_; }
  Weights& weights() { return *weights_; }

  /// A name below the scope, in full.
  std::string path(std::string_view name) const;

  /// A tensor below the scope, of this logical shape. Errors: see Weights::get.
  ValueId weight(std::string_view name, std::initializer_list<Size> shape, Stored stored = Stored::out_in);

  /// x W^T + b with NAME.weight [out, in] and NAME.bias [out].
  ValueId linear(ValueId x, std::string_view name, const LinearTraits& traits);

  /// Along the last dimension, with NAME.weight and NAME.bias.
  ValueId norm(ValueId x, std::string_view name, const NormTraits& traits);

  /// Rows of NAME.weight [rows, width] by indices.
  ValueId embedding(ValueId indices, std::string_view name, const Size& rows, const Size& width);

  ValueId feed_forward(ValueId x, const FeedForwardTraits& traits);

  /// cap * tanh(x / cap); x itself if the cap is 0.
  ValueId soft_cap(ValueId x, float cap);

  /// x * factor; x itself if it is 1.
  ValueId scale(ValueId x, float factor);

  /// The table, or the head's own tensor: if the model does not tie them, or if the checkpoint has one that differs
  /// from the table (a wrong configuration; transformers reads it so too).
  ValueId head_weight(const HeadWeightTraits& traits);

 private:
  ValueId inner_of(ValueId x, const FeedForwardTraits& traits);
  ValueId bias(const Size& size, Bias bias);

  OpBuilder* builder_;
  Weights* weights_;
};

}  // namespace terse::architectures
