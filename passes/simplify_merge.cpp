#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <string>
#include <unordered_map>

#include "formats/overloaded.h"
#include "passes/simplify_steps.h"

namespace terse::passes {
namespace {

std::string text_of(const Tensor& tensor) {
  std::string text = fmt::format("{}{}", name(tensor.dtype()), to_string(tensor.shape()));
  const auto bytes = tensor.bytes();
  text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text;
}

/// Equal texts: equal attributes. Empty: of a kind that is not compared.
std::string text_of(const AttributeValue& value) {
  return std::visit(
      Overloaded{[](int64_t i) { return fmt::format("i{}", i); },
                 [](float f) { return fmt::format("f{}", std::bit_cast<uint32_t>(f)); },
                 [](const std::string& s) { return fmt::format("s{}:{}", s.size(), s); },
                 [](const std::vector<int64_t>& ints) { return fmt::format("I{}", to_string(ints)); },
                 [](const Tensor& tensor) { return tensor.dtype() == DType::string ? "" : "T" + text_of(tensor); },
                 [](const auto&) { return std::string(); }},
      value);
}

/// What a node computes, as text; empty if it must not be merged.
std::string text_of(const Node& node) {
  if (node.outputs.size() != 1 || node.outputs[0] == kNoValue || node.op_type.starts_with("Random") ||
      node.is("Bernoulli") || node.is("Multinomial") || node.is("Identity")) {
    return "";
  }
  std::string text = fmt::format("{}:{}:{}", node.domain, node.op_type, node.overload);
  for (const ValueId id : node.inputs) {
    text += fmt::format(",{}", id);
  }
  std::vector<std::string> attributes;
  for (const Attribute& attribute : node.attributes) {
    const std::string value = text_of(attribute.value);
    if (value.empty()) {
      return "";
    }
    attributes.push_back(fmt::format(";{}={}", attribute.name, value));
  }
  std::sort(attributes.begin(), attributes.end());
  for (const std::string& attribute : attributes) {
    text += attribute;
  }
  return text;
}

/// Replaces constants by the first of their equals.
bool merge_constants(Graph& graph) {
  std::unordered_map<std::string, ValueId> first;
  std::vector<ValueId> kept(graph.values.size());
  bool is_changed = false;
  for (size_t i = 0; i < kept.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    kept[i] = id;
    if (is_small_constant(graph, id)) {
      const Value& value = graph.values[i];
      const std::string seen = value.type ? fmt::format("{}", name(value.type->dtype)) : "";
      kept[i] = first.emplace(text_of(value.constant->dense()->values) + seen, id).first->second;
      is_changed = is_changed || kept[i] != id;
    }
  }
  for_each_node(graph.main, [&](Node& node) {
    for (ValueId& id : node.inputs) {
      id = id == kNoValue ? id : kept[static_cast<size_t>(id)];
    }
  });
  // The others stay without readers; remove_dead takes them.
  return is_changed;
}

bool merge_nodes(Block& block) {
  bool is_changed = false;
  std::unordered_map<std::string, ValueId> first;
  for (Node& node : block.nodes) {
    const std::string text = text_of(node);
    if (text.empty()) {
      continue;
    }
    const auto [found, is_new] = first.emplace(text, node.outputs[0]);
    if (!is_new) {
      make_identity(node, found->second);
      is_changed = true;
    }
  }
  return is_changed;
}

std::vector<int64_t> composed(const std::vector<int64_t>& first, const std::vector<int64_t>& second) {
  std::vector<int64_t> result;
  for (const int64_t axis : second) {
    if (axis < 0 || axis >= static_cast<int64_t>(first.size())) {
      return {};
    }
    result.push_back(first[static_cast<size_t>(axis)]);
  }
  return result;
}

bool merge_transposes(const Node& before, Node& node) {
  const auto inner = before.get_ints("perm"), outer = node.get_ints("perm");
  const auto permutation = inner.size() == outer.size() ? composed(inner, outer) : std::vector<int64_t>{};
  if (permutation.empty()) {
    return false;
  }
  node.set("perm", permutation);
  node.inputs[0] = before.inputs[0];
  return true;
}

/// A zero in the second shape would copy a size of the first.
bool merge_reshapes(const Graph& graph, const Node& before, Node& node) {
  const auto sizes = find_ints(graph, node.input(1));
  if (!sizes || std::find(sizes->begin(), sizes->end(), 0) != sizes->end()) {
    return false;
  }
  node.inputs[0] = before.inputs[0];
  return true;
}

}  // namespace

bool merge_chains(Graph& graph) {
  bool is_changed = false;
  const Dataflow flow(graph);
  for_each_node(graph.main, [&](Node& node) {
    const Node* before = node.input(0) == kNoValue ? nullptr : flow.producer(node.inputs[0]);
    if (before == nullptr || before->input(0) == kNoValue) {
      return;
    }
    const bool is_merged = (node.is("Transpose") && before->is("Transpose") && merge_transposes(*before, node)) ||
                           (node.is("Reshape") && before->is("Reshape") && merge_reshapes(graph, *before, node));
    is_changed = is_changed || is_merged;
  });
  return is_changed;
}

bool merge_equal_nodes(Graph& graph) {
  bool is_changed = merge_constants(graph);
  for_each_block(graph.main, [&](Block& block) { is_changed = merge_nodes(block) || is_changed; });
  return is_changed;
}

}  // namespace terse::passes
