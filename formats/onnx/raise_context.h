#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "formats/graph.h"

namespace terse::onnx {

// What the recognisers share. Each looks at one node, and either turns what stands around it into canonical form or
// leaves all as it is.

/// Packed codes with what an affine encoding is made of, as an idiom spells it.
struct AffineParts {
  ValueId codes = kNoValue;  ///< u8, a row from a fresh byte
  Shape shape;               ///< of the weight
  int bits = 0;
  int64_t block = 0;  ///< columns from one scale to the next, and from one zero point to the next
  ValueId scales = kNoValue;
  ValueId zero_points = kNoValue;  ///< packed as the codes or floats; kNoValue: in the middle
};

class RaiseContext {
 public:
  explicit RaiseContext(Graph& graph);

  Graph& graph;

  Node* producer(ValueId id) const;
  /// The node that makes `id` if it is that operator, else null.
  Node* producer(ValueId id, std::string_view op_type) const;
  /// The readers of a value; empty if it is an output of a block too.
  const std::vector<std::pair<Node*, size_t>>& readers(ValueId id) const;

  /// A constant that is stored as numbers, else null.
  const Tensor* tensor(ValueId id) const;
  std::optional<std::vector<int64_t>> ints(ValueId id) const;
  std::optional<float> scalar(ValueId id) const;

  /// What lies behind Cast (from float to float) and Expand: the tensor as stored.
  ValueId stored(ValueId id) const;

  /// The encoding of `parts` as a constant; the same one for the same parts. kNoValue if they do not fit. `dtype` is
  /// the type in which it is read.
  ValueId constant(const AffineParts& parts, DType dtype);
  /// A constant in place of `codes`, whose name it gets at the end if nobody needs the codes any more.
  ValueId add(ValueId codes, EncodingPtr encoding, DType dtype);
  /// The same for an encoding that nothing but its codes identifies; read as f32.
  ValueId add_once(ValueId codes, EncodingPtr encoding);
  /// The float type of a value that lies behind Cast and Expand.
  DType dtype(ValueId id) const;

  /// Gives names back; call after remove_dead.
  void rename() const;

 private:
  std::vector<Node*> producers_;
  std::vector<std::vector<std::pair<Node*, size_t>>> readers_;
  std::vector<bool> is_output_;
  using Key = std::tuple<ValueId, ValueId, ValueId, Shape, int, int64_t, DType>;
  std::map<Key, ValueId> made_;
  std::map<ValueId, ValueId> made_once_;
  std::vector<std::pair<std::string, std::string>> names_;  ///< of a constant now, wanted
};

/// Makes `node` the plain node `op_type` over `weight`, without the attributes of the idiom.
void become(Node& node, std::string_view op_type, std::vector<ValueId> inputs,
            std::initializer_list<std::string_view> idiom_attributes);

/// Fresh numbers for what a node no longer makes.
void abandon_outputs(Graph& graph, Node& node);

/// True if all readers of a dequantized weight [.., out, in] see it in this shape, or turn it and multiply by it.
bool reads_as_it_stands(const RaiseContext& context, ValueId value);  // raise_integer.cpp
/// Makes the readers of a dequantized weight read the constant `weight`.
void read_instead(const RaiseContext& context, ValueId value, ValueId weight);

// The recognisers. Nodes to be put behind `node` are appended to `after`.
void raise_matmul_nbits(RaiseContext& context, Node& node, std::vector<Node>& after);  // raise_blocks.cpp
void raise_gather_block_quantized(RaiseContext& context, Node& node);
void raise_dequantize_linear(RaiseContext& context, Node& node);  // raise_integer.cpp
void raise_integer_gather(RaiseContext& context, Node& node);
void raise_arithmetic(RaiseContext& context, Node& node);  // raise_arithmetic.cpp
void raise_widened(RaiseContext& context, Node& node);     // raise_dense.cpp
void raise_turned_gather(RaiseContext& context, Node& node);

}  // namespace terse::onnx
