#include <algorithm>
#include <functional>
#include <numeric>

#include "formats/onnx/raise_context.h"

// MatMulNBits and GatherBlockQuantized. Source: microsoft/onnxruntime docs/ContribOperators.md.

namespace terse::onnx {
namespace {

constexpr std::string_view kMicrosoft = "com.microsoft";
constexpr int64_t kLargestSide = int64_t{1} << 40;  // products of sides and bits stay far from overflow

bool is_side(int64_t n) { return n > 0 && n <= kLargestSide; }

bool is_width(int bits) { return bits == 2 || bits == 4 || bits == 8; }

/// The u8 constant behind Reshape: codes that a table shares.
ValueId shared_codes(const RaiseContext& context, ValueId id) {
  const Node* reshape = context.producer(id, "Reshape");
  return reshape != nullptr && context.tensor(reshape->input(0)) != nullptr ? reshape->input(0) : id;
}

/// Bytes that an operator's own shape rule promises.
bool has_count(const RaiseContext& context, ValueId id, int64_t count) {
  const Tensor* tensor = context.tensor(id);
  return tensor != nullptr && tensor->dtype() == DType::u8 && tensor->count() == count;
}

std::optional<AffineParts> matmul_parts(const RaiseContext& context, const Node& node) {
  AffineParts parts{.shape = {node.get_int("N", 0), node.get_int("K", 0)},
                    .bits = static_cast<int>(std::clamp<int64_t>(node.get_int("bits", 4), 0, 64)),
                    .block = node.get_int("block_size", 0)};
  const bool plain = node.get_int("weight_prepacked", 0) == 0 && node.input(4) == kNoValue;
  if (!plain || !is_side(parts.shape[0]) || !is_side(parts.shape[1]) || !is_side(parts.block) ||
      !is_width(parts.bits)) {
    return std::nullopt;
  }
  parts.codes = shared_codes(context, node.input(1));
  parts.scales = node.input(2);
  parts.zero_points = node.input(3);
  const int64_t blocks = (parts.shape[1] + parts.block - 1) / parts.block;
  const int64_t bytes = blocks * parts.block * parts.bits / 8;
  if (parts.shape[0] > kLargestSide / bytes || !has_count(context, parts.codes, parts.shape[0] * bytes)) {
    return std::nullopt;
  }
  return parts;
}

/// The bias as an Add behind the product.
Node split_bias(Graph& graph, Node& product, ValueId bias) {
  Node add;
  add.op_type = "Add";
  add.name = product.name + "/Add";
  add.outputs = product.outputs;
  add.metadata = product.metadata;
  const ValueId sum = product.output(0);
  product.outputs = {graph.add(graph.value(sum).name + "_product")};
  graph.value(product.outputs[0]).type = graph.value(sum).type;
  add.inputs = {product.outputs[0], bias};
  return add;
}

/// The Slice that cuts padding off what `gathered` holds, and the columns that are left.
struct Cut {
  Node* slice = nullptr;
  int64_t columns = 0;
};

Cut find_cut(const RaiseContext& context, ValueId gathered, int64_t padded, int64_t unit) {
  const auto& readers = context.readers(gathered);
  Node* slice = readers.size() == 1 ? readers[0].first : nullptr;
  if (slice == nullptr || !slice->is("Slice") || readers[0].second != 0 || slice->inputs.size() != 4) {
    return {nullptr, padded};
  }
  const auto is_one = [&](size_t input, int64_t value) {
    return context.ints(slice->input(input)) == std::vector<int64_t>{value};
  };
  const auto ends = context.ints(slice->input(2));
  const bool cuts_padding = ends && ends->size() == 1 && (*ends)[0] < padded && (*ends)[0] > padded - unit;
  return is_one(1, 0) && is_one(3, -1) && cuts_padding ? Cut{slice, (*ends)[0]} : Cut{nullptr, padded};
}

}  // namespace

void raise_matmul_nbits(RaiseContext& context, Node& node, std::vector<Node>& after) {
  if (!node.is("MatMulNBits", kMicrosoft)) {
    return;
  }
  const auto parts = matmul_parts(context, node);
  const DType dtype = context.dtype(node.input(2));
  const ValueId weight = parts && is_float(dtype) ? context.constant(*parts, dtype) : kNoValue;
  if (weight == kNoValue) {
    return;
  }
  const ValueId bias = node.input(5);
  become(node, "MatMul", {node.input(0), weight}, {"K", "N", "bits", "block_size", "weight_prepacked"});
  node.set("transB", int64_t{1});
  if (bias != kNoValue) {
    after.push_back(split_bias(context.graph, node, bias));
  }
}

void raise_gather_block_quantized(RaiseContext& context, Node& node) {
  const Tensor* data = node.is("GatherBlockQuantized", kMicrosoft) ? context.tensor(node.input(0)) : nullptr;
  if (data == nullptr || data->dtype() != DType::u8 || data->rank() < 2 || data->count() == 0) {
    return;
  }
  AffineParts parts{.codes = node.input(0),
                    .shape = data->shape(),
                    .bits = static_cast<int>(std::clamp<int64_t>(node.get_int("bits", 4), 0, 64)),
                    .block = node.get_int("block_size", 128),
                    .scales = node.input(2),
                    .zero_points = node.input(3)};
  const bool along_rows = node.get_int("gather_axis", 0) == 0 && node.get_int("quantize_axis", 1) == data->rank() - 1;
  if (!along_rows || !is_width(parts.bits) || !is_side(parts.block)) {
    return;
  }
  const int64_t padded = data->shape().back() * 8 / parts.bits;
  const Cut cut = find_cut(context, node.output(0), padded, std::max<int64_t>(parts.block, 8 / parts.bits));
  parts.shape.back() = cut.columns;
  const DType dtype = context.dtype(node.input(2));
  const ValueId weight = is_float(dtype) ? context.constant(parts, dtype) : kNoValue;
  if (weight == kNoValue) {
    return;
  }
  become(node, "Gather", {weight, node.input(1)}, {"gather_axis", "quantize_axis", "bits", "block_size"});
  if (cut.slice != nullptr) {
    node.outputs = cut.slice->outputs;
    abandon_outputs(context.graph, *cut.slice);
  }
}

}  // namespace terse::onnx
