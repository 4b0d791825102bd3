#include <algorithm>
#include <array>
#include <cstddef>

#include "formats/onnx/data_types.h"
#include "passes/simplify_steps.h"

namespace terse::passes {
namespace {

/// The type of a value as far as the graph says it.
DType dtype_of(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.type) {
    return value.type->dtype;
  }
  return value.constant != nullptr ? compute_dtype(*value.constant) : DType::undefined;
}

std::optional<size_t> rank_of(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.constant != nullptr) {
    return value.constant->shape.size();
  }
  return value.type && value.type->shape ? std::optional(value.type->shape->size()) : std::nullopt;
}

/// The shape, if every dimension is a number.
std::optional<Shape> static_shape(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (!value.type || !value.type->shape) {
    return std::nullopt;
  }
  Shape shape;
  for (const Dimension& dimension : *value.type->shape) {
    if (dimension.size < 0) {
      return std::nullopt;
    }
    shape.push_back(dimension.size);
  }
  return shape;
}

/// True for a constant of one element that equals `number` and adds no dimension to what it meets.
bool is_number(const Graph& graph, ValueId id, double number, ValueId other) {
  if (!is_small_constant(graph, id)) {
    return false;
  }
  const Encoding& encoding = *graph.value(id).constant;
  const size_t rank = encoding.shape.size();
  if (encoding.rows() * encoding.columns() != 1 || (rank > 0 && rank > rank_of(graph, other).value_or(0))) {
    return false;
  }
  if (const auto ints = find_ints(graph, id)) {
    return static_cast<double>(ints->front()) == number;
  }
  return is_float(compute_dtype(encoding)) && static_cast<double>(decode(encoding).values<float>()[0]) == number;
}

/// Where an operator has a neutral number: x + 0, x * 1.
struct NeutralRow {
  std::string_view op;
  double number;
  bool on_the_left;  ///< too
};
constexpr std::array kNeutral = {
    NeutralRow{"Add", 0, true},
    NeutralRow{"Div", 1, false},
    NeutralRow{"Mul", 1, true},
    NeutralRow{"Sub", 0, false},
};

/// The input that a sum or product gives back; kNoValue if it does more.
ValueId neutral_result(const Graph& graph, const Node& node) {
  for (const NeutralRow& row : kNeutral) {
    if (!node.is(row.op) || node.inputs.size() != 2) {
      continue;
    }
    if (is_number(graph, node.inputs[1], row.number, node.inputs[0])) {
      return node.inputs[0];
    }
    if (row.on_the_left && is_number(graph, node.inputs[0], row.number, node.inputs[1])) {
      return node.inputs[1];
    }
  }
  return kNoValue;
}

bool is_idle_cast(const Graph& graph, const Node& node) {
  const auto to = onnx::find_data_type(static_cast<int32_t>(node.get_int("to", 0)));
  return to && to->dtype == dtype_of(graph, node.inputs[0]);
}

bool is_idle_transpose(const Node& node) {
  const auto permutation = node.get_ints("perm");
  return !permutation.empty() && std::is_sorted(permutation.begin(), permutation.end());
}

bool is_idle_expand(const Graph& graph, const Node& node) {
  const auto sizes = find_ints(graph, node.input(1));
  return sizes && std::all_of(sizes->begin(), sizes->end(), [](int64_t size) { return size == 1; }) &&
         sizes->size() <= rank_of(graph, node.inputs[0]).value_or(0);
}

/// In inference only; the mask must be of no use to anybody.
bool is_idle_dropout(const Graph& graph, const Node& node) {
  const ValueId training = node.input(2);
  if (node.output(1) != kNoValue) {
    return false;
  }
  if (training == kNoValue) {
    return true;
  }
  const DenseEncoding* dense = graph.is_constant(training) ? graph.value(training).constant->dense() : nullptr;
  return dense != nullptr && dense->dtype == DType::boolean && dense->values.count() == 1 &&
         dense->values.bytes()[0] == std::byte{0};
}

bool is_idle_reshape(const Graph& graph, const Node& node) {
  const auto before = static_shape(graph, node.inputs[0]), after = static_shape(graph, node.output(0));
  return before && after && *before == *after;
}

bool is_idle(const Graph& graph, const Node& node) {
  if (node.is("Cast")) {
    return is_idle_cast(graph, node);
  }
  if (node.is("Transpose")) {
    return is_idle_transpose(node);
  }
  if (node.is("Expand")) {
    return is_idle_expand(graph, node);
  }
  if (node.is("Dropout")) {
    return is_idle_dropout(graph, node);
  }
  if (node.is("Reshape")) {
    return is_idle_reshape(graph, node);
  }
  return node.is("Concat") && node.inputs.size() == 1;
}

}  // namespace

void make_identity(Node& node, ValueId input) {
  node.op_type = "Identity";
  node.domain.clear();
  node.inputs = {input};
  node.outputs.resize(1);
  node.attributes.clear();
}

bool remove_no_ops(Graph& graph) {
  bool is_changed = false;
  for_each_node(graph.main, [&](Node& node) {
    if (node.input(0) == kNoValue || node.output(0) == kNoValue) {
      return;
    }
    const ValueId result = is_idle(graph, node) ? node.inputs[0] : neutral_result(graph, node);
    if (result != kNoValue) {
      make_identity(node, result);
      is_changed = true;
    }
  });
  return is_changed;
}

}  // namespace terse::passes
