#include "formats/onnx/orientation.h"

#include <algorithm>

#include "formats/onnx/canonical.h"

namespace terse::onnx {
namespace {

int64_t transposes_b(const Node& node) { return node.get_int("transB", 0); }

bool is_product(const Graph& graph, const Node& node, size_t input) {
  return input == 1 && (node.is("MatMul") || node.is("Gemm")) && node.output(0) != kNoValue &&
         graph.value(node.inputs[1]).constant->shape.size() >= 2;
}

bool ends_with(const ValueType& type, int64_t rows, int64_t columns) {
  const size_t rank = type.shape ? type.shape->size() : 0;
  return rank >= 2 && (*type.shape)[rank - 2].size == rows && (*type.shape)[rank - 1].size == columns;
}

/// True if the node picks whole matrices out of a constant [E, rows, columns].
bool picks_matrices(const Graph& graph, const Node& node, size_t input) {
  if (input != 0 || node.output(0) == kNoValue) {
    return false;
  }
  const Shape& shape = graph.value(node.inputs[0]).constant->shape;
  if (shape.size() != 3) {
    return false;
  }
  if (node.is("Gather")) {
    const int64_t axis = node.get_int("axis", 0);
    return axis == 0 || axis == -3;
  }
  const auto& type = graph.value(node.output(0)).type;
  return node.is("GatherND") && node.get_int("batch_dims", 0) == 0 && type && ends_with(*type, shape[1], shape[2]);
}

bool is_right_operand(const Reading& reading) {
  return reading.node->is("MatMul") && reading.input == 1 && reading.node->output(0) != kNoValue;
}

/// The MatMuls that read picked matrices, if nobody else does and they agree about the orientation.
std::vector<Node*> products_behind(const std::vector<Reading>& readings) {
  std::vector<Node*> products;
  for (const Reading& reading : readings) {
    if (!is_right_operand(reading) || transposes_b(*reading.node) != transposes_b(*readings.front().node)) {
      return {};
    }
    products.push_back(reading.node);
  }
  return products;
}

void turn_all(const std::vector<Reading*>& readings) {
  for (const Reading* reading : readings) {
    turn(*reading);
  }
}

}  // namespace

std::vector<bool> block_outputs(const Graph& graph) {
  std::vector<bool> is_output(graph.values.size());
  for_each_block(graph.main, [&](const Block& block) {
    for (const ValueId id : block.outputs) {
      is_output[static_cast<size_t>(id)] = true;
    }
  });
  return is_output;
}

bool is_matrix(const Value& value) {
  return value.constant != nullptr && value.constant->shape.size() >= 2 && is_float(compute_dtype(*value.constant));
}

EncodingPtr swapped(const Encoding& encoding) {
  if (encoding.dense() == nullptr || encoding.shape.size() < 2) {
    return nullptr;
  }
  Encoding turned = encoding;
  turned.shape = swap_last_two(std::move(turned.shape));
  auto& dense = std::get<DenseEncoding>(turned.form);
  dense.transposed = !dense.transposed;
  return std::make_shared<const Encoding>(std::move(turned));
}

std::vector<std::vector<Reading>> find_readings(Graph& graph) {
  std::vector<std::vector<Reading>> readings(graph.values.size());
  for_each_node(graph.main, [&](Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) {
        readings[static_cast<size_t>(node.inputs[i])].push_back({&node, i, {}});
      }
    }
  });
  const std::vector<bool> is_output = block_outputs(graph);
  for (size_t id = 0; id < readings.size(); ++id) {
    if (!is_matrix(graph.values[id])) {
      continue;
    }
    for (Reading& reading : readings[id]) {
      if (is_product(graph, *reading.node, reading.input)) {
        reading.products = {reading.node};
      } else if (picks_matrices(graph, *reading.node, reading.input)) {
        const auto picked = static_cast<size_t>(reading.node->output(0));
        reading.products = is_output[picked] ? std::vector<Node*>{} : products_behind(readings[picked]);
      }
    }
  }
  return readings;
}

bool is_transposed(const Reading& reading) { return transposes_b(*reading.products.front()) != 0; }

void turn(const Reading& reading) {
  for (Node* product : reading.products) {
    product->set("transB", transposes_b(*product) != 0 ? int64_t{0} : int64_t{1});
  }
}

void orient_weights(Graph& graph) {
  const std::vector<bool> is_output = block_outputs(graph);
  auto readings = find_readings(graph);
  for (size_t id = 0; id < readings.size(); ++id) {
    std::vector<Reading*> plain;
    for (Reading& reading : readings[id]) {
      if (!reading.products.empty() && !is_transposed(reading)) {
        plain.push_back(&reading);
      }
    }
    const EncodingPtr turned = plain.empty() ? nullptr : swapped(*graph.values[id].constant);
    if (turned == nullptr) {
      continue;
    }
    turn_all(plain);
    if (plain.size() == readings[id].size() && !is_output[id]) {
      graph.values[id].constant = turned;
      continue;
    }
    // Others read it as it stands: both orientations for now, merge_equal_weights makes one of them.
    const std::string name = graph.values[id].name;
    const ValueId twin = graph.add_constant(name, turned);
    graph.value(twin).type = graph.values[id].type;
    for (const Reading* reading : plain) {
      reading->node->inputs[reading->input] = twin;
    }
  }
}

}  // namespace terse::onnx
