#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "formats/error.h"
#include "formats/onnx/lowering.h"
#include "formats/rounding.h"

namespace terse::onnx {

// What the idioms of lowering share. An idiom turns one use of a weight into nodes; the numbers behind them are stored
// once a weight, in the packing that all of its uses can read.

/// What a node does with a weight.
enum class UseKind {
  linear,  ///< MatMul's or Gemm's right operand, transB = 1
  table,   ///< Gather's or GatherND's data: rows are picked
  plain,   ///< anything else: wants the numbers in the logical shape
};

/// How a weight lies in the file.
enum class Packing {
  dense,    ///< floats; [.., in, out] if `transposed`
  integer,  ///< 4- or 8-bit integers for DequantizeLinear; [.., in, out] if `transposed`
  blocks,   ///< u8 [out, blocks, bytes of a block]: MatMulNBits; rows are padded to whole blocks of `block` columns
  rows,     ///< u8 [.., out, bytes of a row]: packed codes as they are
};

/// One float constant of the model on its way into the file. Values that an idiom makes for it are made once.
struct Weight {
  ValueId id = kNoValue;
  EncodingPtr encoding;
  DType dtype = DType::f32;  ///< that its uses compute in
  Packing packing = Packing::dense;
  bool transposed = false;
  bool shared = false;  ///< Packing::blocks that tables and others read too: stored [out, bytes of a row]
  int64_t block = 0;    ///< columns a scale, of Packing::blocks

  ValueId as_float = kNoValue, as_transposed = kNoValue;  ///< the whole weight
  ValueId scales = kNoValue, float_scales = kNoValue;     ///< as stored; in `dtype`
  ValueId full_scales = kNoValue;                         ///< in `dtype`, one for each block of each row
  ValueId zero_points = kNoValue;                         ///< as stored
  ValueId block_codes = kNoValue;                         ///< [out, blocks, bytes of a block]
  ValueId codebook = kNoValue, row_codebook = kNoValue;   ///< as stored; f32, one for each row

  const AffineEncoding& affine() const { return *encoding->affine(); }
  const DenseEncoding& dense() const { return *encoding->dense(); }
  const CodebookEncoding& codes() const { return *encoding->codebook(); }
  int64_t rows() const { return encoding->rows(); }
  int64_t columns() const { return encoding->columns(); }
};

/// The packing of every constant that is used.
struct Plan {
  std::vector<Weight> weights;
  std::unordered_set<ValueId> turned;  ///< values that MatMuls with transB = 1 read
  int64_t opset = 1;                   ///< the oldest that has the operators
};

/// Errors: unsupported, with the tensor's display name.
Plan plan_weights(const Model& model, OnnxStyle style);

UseKind use_kind(const Node& node, size_t input);
bool is_turned(const Dataflow& flow, ValueId value);

using Nodes = std::vector<Node>;
using Attributes = std::vector<Attribute>;

/// The graph that is being lowered.
class Context {
 public:
  explicit Context(Lowered& result) : lowered(result) {}

  Lowered& lowered;
  Nodes prologue;  ///< nodes that depend on constants alone; they come first

  Graph& graph() { return lowered.graph; }
  std::string name(ValueId id) const { return lowered.graph.value(id).name; }

  /// Appends a node with one fresh output, called `name` (both the value and the node).
  ValueId emit(Nodes& nodes, std::string_view op_type, std::vector<ValueId> inputs, std::string_view name,
               Attributes attributes = {}, std::string_view domain = "");

  /// Stores the main data of a weight: the initialiser takes over the weight's value and so its name.
  void store(const Weight& weight, DType dtype, Shape dims, std::function<void(Sink&)> write);

  /// Stores more data of a weight under a name of its own.
  ValueId store_beside(const Weight& weight, std::string_view suffix, DType dtype, Shape dims,
                       std::function<void(Sink&)> write);

  /// A small constant that all weights share.
  ValueId helper(std::string_view name, const Tensor& values);

 private:
  void add(Initializer initializer, std::function<void(Sink&)> write);
  std::map<std::string, ValueId, std::less<>> helpers_;
};

Node make_node(std::string_view op_type, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
               std::string_view domain = "");

/// `id` cast to `to` in the prologue, or itself if it is that.
ValueId cast_constant(Context& context, ValueId id, DType from, DType to);

/// What MatMul, Gemm and the rest multiply by.
struct Operand {
  ValueId value = kNoValue;
  bool transposed = false;  ///< is [.., in, out]
};

// lowering_dense.cpp
void store_dense(Context& context, const Weight& weight);
/// The stored floats in the type that the graph computes in.
ValueId dense_value(Context& context, Weight& weight);

// lowering_scales.cpp: of affine weights in packed rows or blocks
void store_scales(Context& context, Weight& weight);
/// Blocks that have a zero point, along a row.
int64_t zero_point_blocks(const Weight& weight);
/// The stored scales in the type that the graph computes in.
ValueId float_scales(Context& context, Weight& weight);
/// The same repeated where one serves several rows or blocks: [.., out, blocks].
ValueId full_scales(Context& context, Weight& weight, int64_t blocks);

// lowering_integer.cpp: DequantizeLinear
/// The oldest opset whose DequantizeLinear holds the weight; nullopt: none does.
std::optional<int64_t> integer_opset(const Weight& weight);
void store_integer(Context& context, Weight& weight);
ValueId integer_value(Context& context, Weight& weight);

// lowering_blocks.cpp: MatMulNBits and GatherBlockQuantized
bool fits_matmul_nbits(const Weight& weight);
bool fits_gather_block_quantized(const Weight& weight, const Node& node);
/// The block that MatMulNBits gets: the weight's own; for whole rows the one that pads least, the larger of equals.
int64_t matmul_nbits_block(const Encoding& weight);
void store_blocks(Context& context, Weight& weight);
void emit_matmul_nbits(Context& context, Weight& weight, const Node& node, Nodes& nodes);
void emit_gather_block_quantized(Context& context, Weight& weight, const Node& node, Nodes& nodes);

// lowering_arithmetic.cpp: packed rows, dequantized by plain operators
void store_rows(Context& context, Weight& weight);
/// The whole weight, in its logical shape.
ValueId arithmetic_value(Context& context, Weight& weight);
/// A Gather or GatherND of rows.
void emit_arithmetic_gather(Context& context, Weight& weight, const Node& node, Nodes& nodes);

}  // namespace terse::onnx
