#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "formats/onnx/canonical.h"
#include "formats/onnx/data_types.h"
#include "formats/onnx/orientation.h"

namespace terse::onnx {
namespace {

/// What a node makes of a constant without touching its numbers.
struct Folded {
  EncodingPtr constant;
  DType seen_as = DType::undefined;  ///< undefined: as before
};

std::optional<std::vector<int64_t>> constant_ints(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id)) {
    return std::nullopt;
  }
  const DenseEncoding* dense = graph.value(id).constant->dense();
  if (dense == nullptr || !is_integer(dense->dtype)) {
    return std::nullopt;
  }
  return to_int64s(dense->values.aligned());
}

/// `axes` as an attribute (before opset 13) or as the second input; empty if there are none.
std::optional<std::vector<int64_t>> find_axes(const Graph& graph, const Node& node) {
  if (node.input(1) != kNoValue) {
    return constant_ints(graph, node.input(1));
  }
  return node.get_ints("axes");
}

/// Non-negative and distinct axes of a tensor of rank `rank`.
std::optional<std::set<int64_t>> normalized(const std::vector<int64_t>& axes, int64_t rank) {
  std::set<int64_t> result;
  for (const int64_t axis : axes) {
    if (axis < -rank || axis >= rank || !result.insert(axis < 0 ? axis + rank : axis).second) {
      return std::nullopt;
    }
  }
  return result;
}

std::optional<Shape> squeezed(const Graph& graph, const Node& node, const Shape& shape) {
  const auto listed = find_axes(graph, node);
  const auto axes = listed ? normalized(*listed, static_cast<int64_t>(shape.size())) : std::nullopt;
  if (!axes) {
    return std::nullopt;
  }
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool is_listed = axes->empty() ? shape[i] == 1 : axes->contains(static_cast<int64_t>(i));
    if (!is_listed) {
      result.push_back(shape[i]);
    } else if (shape[i] != 1) {
      return std::nullopt;
    }
  }
  return result;
}

std::optional<Shape> unsqueezed(const Graph& graph, const Node& node, const Shape& shape) {
  const auto listed = find_axes(graph, node);
  const size_t rank = shape.size() + (listed ? listed->size() : 0);
  const auto axes = listed ? normalized(*listed, static_cast<int64_t>(rank)) : std::nullopt;
  if (!axes) {
    return std::nullopt;
  }
  Shape result;
  auto next = shape.begin();
  for (size_t i = 0; i < rank; ++i) {
    result.push_back(axes->contains(static_cast<int64_t>(i)) ? 1 : *next++);
  }
  return result;
}

std::optional<Shape> reshaped(const Graph& graph, const Node& node, const Shape& shape) {
  auto wanted = constant_ints(graph, node.input(1));
  const int64_t count = *checked_count(shape);
  if (!wanted || count == 0 || node.get_int("allowzero", 0) != 0) {
    return std::nullopt;
  }
  int64_t known = 1;
  for (size_t i = 0; i < wanted->size(); ++i) {
    int64_t& size = (*wanted)[i];
    if (size == 0 && i < shape.size()) {
      size = shape[i];
    }
    if (size != -1 && (size <= 0 || size > count / known)) {
      return std::nullopt;
    }
    known *= size == -1 ? 1 : size;
  }
  const auto open = std::find(wanted->begin(), wanted->end(), -1);
  if (open != wanted->end()) {
    *open = count / known;
  }
  return wanted;
}

std::optional<Shape> flattened(const Node& node, const Shape& shape) {
  const auto rank = static_cast<int64_t>(shape.size());
  int64_t axis = node.get_int("axis", 1);
  axis += axis < 0 ? rank : 0;
  if (axis < 0 || axis > rank) {
    return std::nullopt;
  }
  const auto product = [](auto begin, auto end) {
    return std::accumulate(begin, end, int64_t{1}, std::multiplies<int64_t>());
  };
  return Shape{product(shape.begin(), shape.begin() + axis), product(shape.begin() + axis, shape.end())};
}

/// The encoding under another shape of the same count. Null if that would reorder numbers.
EncodingPtr with_shape(const Encoding& encoding, const Shape& shape) {
  const DenseEncoding* dense = encoding.dense();
  if (dense == nullptr || shape.empty() || checked_count(shape) != checked_count(encoding.shape)) {
    return nullptr;
  }
  if (!dense->transposed) {
    return make_dense(dense->values.reshaped(shape));
  }
  const bool keeps_matrices =
      shape.size() >= 2 && std::equal(shape.end() - 2, shape.end(), encoding.shape.end() - 2, encoding.shape.end());
  if (!keeps_matrices) {
    return nullptr;
  }
  return make_dense_transposed(dense->values.reshaped(swap_last_two(shape)));
}

using ShapeRule = std::optional<Shape> (*)(const Graph& graph, const Node& node, const Shape& shape);

Folded fold_shape(const Graph& graph, const Node& node, const Encoding& encoding, ShapeRule rule) {
  const auto shape = rule(graph, node, encoding.shape);
  return {shape ? with_shape(encoding, *shape) : nullptr};
}

Folded fold_transpose(const Node& node, const EncodingPtr& encoding) {
  const size_t rank = encoding->shape.size();
  std::vector<int64_t> identity(rank);
  std::iota(identity.begin(), identity.end(), int64_t{0});
  auto permutation = node.get_ints("perm", {identity.rbegin(), identity.rend()});
  if (permutation == identity) {
    return {encoding};
  }
  if (permutation.size() == rank) {
    std::iter_swap(permutation.end() - 1, permutation.end() - 2);
  }
  return {permutation == identity ? swapped(*encoding) : nullptr};
}

/// A narrowing Cast rounds, and stays.
Folded fold_cast(const Node& node, const EncodingPtr& encoding) {
  const auto to = find_data_type(static_cast<int32_t>(node.get_int("to", 0)));
  const DType from = compute_dtype(*encoding);
  const bool widens = to && to->dtype == DType::f32 && (from == DType::f16 || from == DType::bf16);
  return widens ? Folded{encoding, DType::f32} : Folded{};
}

Folded fold(const Graph& graph, const Node& node) {
  const EncodingPtr& encoding = graph.value(node.inputs[0]).constant;
  const auto by = [&](ShapeRule rule) { return fold_shape(graph, node, *encoding, rule); };
  if (node.is("Transpose")) {
    return fold_transpose(node, encoding);
  }
  if (node.is("Cast")) {
    return fold_cast(node, encoding);
  }
  if (node.is("Reshape")) {
    return by(reshaped);
  }
  if (node.is("Squeeze")) {
    return by(squeezed);
  }
  if (node.is("Unsqueeze")) {
    return by(unsqueezed);
  }
  if (node.is("Flatten")) {
    return by([](const Graph&, const Node& n, const Shape& shape) { return flattened(n, shape); });
  }
  return {};
}

bool is_foldable(const Graph& graph, const Node& node, const std::vector<bool>& is_output) {
  const ValueId in = node.input(0), out = node.output(0);
  return in != kNoValue && out != kNoValue && is_matrix(graph.value(in)) && !is_output[static_cast<size_t>(out)];
}

/// Takes the nodes between constants and their uses away, one after the other in the order of computation.
class Folding {
 public:
  explicit Folding(Graph& graph)
      : graph_(graph), is_output_(block_outputs(graph)), readers_(graph.values.size()), view_of_(graph.values.size()) {
    for_each_node(graph.main, [&](const Node& node) {
      for (const ValueId id : node.inputs) {
        if (id != kNoValue) {
          ++readers_[static_cast<size_t>(id)];
        }
      }
    });
  }

  void run() {
    for_each_block(graph_.main, [&](Block& block) {
      std::erase_if(block.nodes, [&](const Node& node) {
        const Folded folded = is_foldable(graph_, node, is_output_) ? fold(graph_, node) : Folded{};
        if (folded.constant != nullptr) {
          replace(node, folded);
        }
        return folded.constant != nullptr;
      });
    });
  }

 private:
  void replace(const Node& node, const Folded& folded) {
    const Value& source = graph_.value(node.inputs[0]);
    const DType before = source.type ? source.type->dtype : compute_dtype(*source.constant);
    Value& value = graph_.value(node.outputs[0]);
    value.constant = folded.constant;
    value.type = ValueType{.dtype = folded.seen_as == DType::undefined ? before : folded.seen_as};
    value.metadata.clear();
    pass_name_on(node.inputs[0], node.outputs[0]);
  }

  /// A constant that nobody reads any more gives its name to the first that was made of it.
  void pass_name_on(ValueId source, ValueId made) {
    const auto index = static_cast<size_t>(source);
    ValueId& first = view_of_[index] ? *view_of_[index] : view_of_[index].emplace(made);
    if (--readers_[index] == 0 && !is_output_[index]) {
      std::swap(graph_.value(source).name, graph_.value(first).name);
    }
  }

  Graph& graph_;
  std::vector<bool> is_output_;
  std::vector<int> readers_;
  std::vector<std::optional<ValueId>> view_of_;
};

}  // namespace

void fold_into_constants(Graph& graph) { Folding(graph).run(); }

}  // namespace terse::onnx
