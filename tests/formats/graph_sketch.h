#pragma once

#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/graph.h"

namespace terse {

/// A graph in the making, for tests: every node has one output.
struct GraphSketch {
  Graph graph;

  ValueId input(std::string_view name) {
    graph.main.inputs.push_back(graph.add(name));
    return graph.main.inputs.back();
  }
  /// Numbers that count up from 1.
  ValueId weight(std::string_view name, Shape shape) {
    Tensor tensor = Tensor::make(DType::f32, std::move(shape));
    std::iota(tensor.mutable_values<float>().begin(), tensor.mutable_values<float>().end(), 1.0F);
    return graph.add_constant(name, make_dense(tensor));
  }
  ValueId ints(std::string_view name, std::vector<int64_t> values) {
    const auto size = static_cast<int64_t>(values.size());
    return graph.add_constant(name, make_dense(Tensor::of<int64_t>({size}, std::span<const int64_t>(values))));
  }
  ValueId node(std::string op, std::vector<ValueId> inputs, std::string_view output,
               std::vector<Attribute> attributes = {}) {
    const ValueId out = graph.add(output);
    graph.main.nodes.push_back(
        {.op_type = std::move(op), .inputs = std::move(inputs), .outputs = {out}, .attributes = std::move(attributes)});
    return out;
  }
  void output(ValueId id) { graph.main.outputs.push_back(id); }

  const Value& value(std::string_view name) const { return graph.value(*graph.find(name)); }
};

}  // namespace terse
