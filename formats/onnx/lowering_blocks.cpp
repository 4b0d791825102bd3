#include <algorithm>
#include <bit>

#include "formats/onnx/lowering_context.h"
#include "formats/onnx/lowering_stream.h"

// onnxruntime's own operators on blocks of codes. Source: microsoft/onnxruntime docs/ContribOperators.md, and what
// onnxruntime 1.31 accepts: MatMulNBits takes blocks of 16 to 256 columns and wants rows of whole blocks;
// GatherBlockQuantized takes any power of two from 16, longer than the row too, and rows of any length, but it gives
// back what pads the last byte.

namespace terse::onnx {
namespace {

constexpr int64_t kSmallestBlock = 16;
constexpr int64_t kLargestMatMulBlock = 256;
constexpr std::string_view kMicrosoft = "com.microsoft";

bool is_power_of_two(int64_t n) { return std::has_single_bit(static_cast<uint64_t>(n)); }
bool has_whole_rows(const Encoding& weight) { return weight.affine()->group_columns >= weight.columns(); }
bool computes_in_blocks(DType dtype) { return dtype == DType::f32 || dtype == DType::f16; }

int64_t row_bytes(const Weight& weight) {
  const int64_t columns =
      weight.packing == Packing::blocks ? divide_up(weight.columns(), weight.block) * weight.block : weight.columns();
  return packed_row_bytes(columns, weight.affine().bits);
}

int64_t gather_block(const Weight& weight) {
  if (weight.packing == Packing::blocks) {
    return weight.block;
  }
  if (has_whole_rows(*weight.encoding)) {
    return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max(weight.columns(), kSmallestBlock))));
  }
  return weight.affine().group_columns;
}

/// The codes as MatMulNBits wants them.
ValueId block_codes(Context& context, Weight& weight) {
  if (!weight.shared) {
    return weight.id;
  }
  if (weight.block_codes == kNoValue) {
    const int64_t blob = weight.block * weight.affine().bits / 8;
    const Shape dims = {weight.rows(), row_bytes(weight) / blob, blob};
    const ValueId shape =
        context.helper(fmt::format("terse_shape_{}", fmt::join(dims, "_")), Tensor::of<int64_t>({3}, dims));
    weight.block_codes =
        context.emit(context.prologue, "Reshape", {weight.id, shape}, context.name(weight.id) + "_blocks");
  }
  return weight.block_codes;
}

void set_block_attributes(Node& node, const Weight& weight, int64_t block) {
  node.set("bits", int64_t{weight.affine().bits});
  node.set("block_size", block);
}

/// Cuts what pads a gathered row.
void slice_columns(Context& context, const Weight& weight, const Node& node, ValueId gathered, Nodes& nodes) {
  const auto one = [](int64_t value) { return Tensor::of<int64_t>({1}, {value}); };
  Node slice = make_node("Slice",
                         {gathered, context.helper("terse_first", one(0)),
                          context.helper(fmt::format("terse_columns_{}", weight.columns()), one(weight.columns())),
                          context.helper("terse_last_axis", one(-1))},
                         node.outputs);
  slice.name = node.name + "/Slice";
  slice.metadata = node.metadata;
  nodes.push_back(std::move(slice));
}

ValueId add_scaled(Context& context, Nodes& nodes, ValueId value, float factor, DType dtype, std::string_view name) {
  if (factor == 1) {
    return value;
  }
  const Tensor scalar = from_f32(Tensor::scalar(factor), dtype);
  const ValueId constant = context.helper(fmt::format("terse_factor_{}_{}", terse::name(dtype), factor), scalar);
  return context.emit(nodes, "Mul", {value, constant}, fmt::format("{}/scaled", name));
}

/// What Gemm does beside its product, as nodes before and after it.
ValueId gemm_input(Context& context, const Node& gemm, Nodes& nodes) {
  if (gemm.get_int("transA", 0) == 0) {
    return gemm.input(0);
  }
  return context.emit(nodes, "Transpose", {gemm.input(0)}, gemm.name + "/Transpose",
                      {{"perm", std::vector<int64_t>{1, 0}}});
}

void finish_gemm(Context& context, const Weight& weight, const Node& gemm, Nodes& nodes) {
  const float alpha = gemm.get_float("alpha", 1);
  const float beta = gemm.get_float("beta", 1);
  const bool has_addend = gemm.input(2) != kNoValue;
  if (!has_addend && alpha == 1) {
    return;
  }
  const ValueId product = context.graph().add(context.name(gemm.output(0)) + "_product");
  nodes.back().outputs = {product};
  const ValueId scaled = add_scaled(context, nodes, product, alpha, weight.dtype, gemm.name);
  if (!has_addend) {
    nodes.back().outputs = gemm.outputs;
    return;
  }
  const ValueId addend = add_scaled(context, nodes, gemm.input(2), beta, weight.dtype, gemm.name);
  Node add = make_node("Add", {scaled, addend}, gemm.outputs);
  add.name = gemm.name + "/Add";
  add.metadata = gemm.metadata;
  nodes.push_back(std::move(add));
}

}  // namespace

bool fits_matmul_nbits(const Weight& weight) {
  const AffineEncoding& affine = weight.affine();
  const bool block = is_power_of_two(affine.group_columns) && affine.group_columns >= kSmallestBlock &&
                     affine.group_columns <= kLargestMatMulBlock;
  return weight.encoding->shape.size() == 2 && computes_in_blocks(weight.dtype) &&
         (block || has_whole_rows(*weight.encoding));
}

bool fits_gather_block_quantized(const Weight& weight, const Node& node) {
  const AffineEncoding& affine = weight.affine();
  // Scales can be repeated by the graph, packed zero points cannot.
  const bool has_own_zero_points = !affine.asymmetric || affine.group_rows == 1 || weight.packing == Packing::blocks;
  return node.is("Gather") && weight.encoding->shape.size() >= 2 && computes_in_blocks(weight.dtype) &&
         has_own_zero_points && is_power_of_two(gather_block(weight)) && gather_block(weight) >= kSmallestBlock;
}

int64_t matmul_nbits_block(const Encoding& weight) {
  if (!has_whole_rows(weight)) {
    return weight.affine()->group_columns;
  }
  int64_t best = kSmallestBlock;
  for (int64_t block = kSmallestBlock; block <= kLargestMatMulBlock; block *= 2) {
    if (divide_up(weight.columns(), block) * block <= divide_up(weight.columns(), best) * best) {
      best = block;
    }
  }
  return best;
}

void store_blocks(Context& context, Weight& weight) {
  const int64_t bytes = row_bytes(weight);
  const int64_t blob = weight.block * weight.affine().bits / 8;
  const Shape dims = weight.shared ? Shape{weight.rows(), bytes} : Shape{weight.rows(), bytes / blob, blob};
  context.store(weight, DType::u8, dims, [encoding = weight.encoding, bytes](Sink& sink) {
    stream_padded(encoding->affine()->codes, encoding->rows(), bytes, sink);
  });
  store_scales(context, weight);
}

void emit_matmul_nbits(Context& context, Weight& weight, const Node& node, Nodes& nodes) {
  Node product = node;
  product.domain = kMicrosoft;
  product.op_type = "MatMulNBits";
  product.inputs = {node.is("Gemm") ? gemm_input(context, node, nodes) : node.input(0), block_codes(context, weight),
                    full_scales(context, weight, divide_up(weight.columns(), weight.block))};
  if (weight.affine().asymmetric) {
    product.inputs.push_back(weight.zero_points);
  }
  for (const std::string_view attribute : {"transA", "transB", "alpha", "beta"}) {
    product.erase(attribute);
  }
  product.set("K", weight.columns());
  product.set("N", weight.rows());
  set_block_attributes(product, weight, weight.block);
  nodes.push_back(std::move(product));
  if (node.is("Gemm")) {
    finish_gemm(context, weight, node, nodes);
  }
}

void emit_gather_block_quantized(Context& context, Weight& weight, const Node& node, Nodes& nodes) {
  const int64_t block = gather_block(weight);
  Node gather = node;
  gather.domain = kMicrosoft;
  gather.op_type = "GatherBlockQuantized";
  gather.inputs = {weight.id, node.input(1), full_scales(context, weight, divide_up(weight.columns(), block))};
  if (weight.affine().asymmetric) {
    gather.inputs.push_back(weight.zero_points);
  }
  gather.erase("axis");
  gather.set("gather_axis", int64_t{0});
  gather.set("quantize_axis", static_cast<int64_t>(weight.encoding->shape.size()) - 1);
  set_block_attributes(gather, weight, block);
  if (row_bytes(weight) * 8 / weight.affine().bits == weight.columns()) {
    nodes.push_back(std::move(gather));
    return;
  }
  const ValueId gathered = context.graph().add(context.name(node.output(0)) + "_padded");
  gather.outputs = {gathered};
  nodes.push_back(std::move(gather));
  slice_columns(context, weight, node, gathered, nodes);
}

}  // namespace terse::onnx
