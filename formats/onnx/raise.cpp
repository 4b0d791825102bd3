#include "formats/onnx/raise.h"

#include "formats/onnx/raise_context.h"

namespace terse::onnx {
namespace {

/// Nodes that are put behind others: after the last one has been looked at, because recognisers hold pointers.
using Insertions = std::map<const Node*, std::vector<Node>>;

void insert(Block& block, Insertions& insertions) {
  std::vector<Node> nodes;
  nodes.reserve(block.nodes.size());
  for (Node& node : block.nodes) {
    const auto found = insertions.find(&node);
    nodes.push_back(std::move(node));
    if (found != insertions.end()) {
      std::move(found->second.begin(), found->second.end(), std::back_inserter(nodes));
    }
  }
  block.nodes = std::move(nodes);
}

void remember_types(Graph& graph) {
  for (Value& value : graph.values) {
    if (value.constant && !value.type && is_float(compute_dtype(*value.constant))) {
      value.type = ValueType{.dtype = compute_dtype(*value.constant)};
    }
  }
}

}  // namespace

void raise_encodings(Graph& graph) {
  remember_types(graph);
  Insertions insertions;
  {
    RaiseContext context(graph);
    for_each_node(graph.main, [&](Node& node) {
      raise_matmul_nbits(context, node, insertions[&node]);
      raise_gather_block_quantized(context, node);
      raise_dequantize_linear(context, node);
      raise_integer_gather(context, node);
      raise_arithmetic(context, node);
    });
    for_each_block(graph.main, [&](Block& block) { insert(block, insertions); });
    remove_dead(graph);
    context.rename();
  }
  // These look at what the first ones made.
  RaiseContext context(graph);
  for_each_node(graph.main, [&](Node& node) {
    raise_widened(context, node);
    raise_turned_gather(context, node);
  });
  remove_dead(graph);
}

}  // namespace terse::onnx
