#include "formats/graph.h"

#include <algorithm>
#include <cassert>
#include <ranges>
#include <unordered_map>
#include <unordered_set>

#include "formats/error.h"

namespace terse {
namespace {

template <typename T>
const T& typed(const Attribute& attribute) {
  if (const T* value = std::get_if<T>(&attribute.value)) {
    return *value;
  }
  throw Error(Kind::input, "attribute '{}' has an unexpected type", attribute.name);
}

/// The subgraphs of a node, in the order of its attributes.
template <typename Visit>
void for_each_subgraph(const Node& node, Visit&& visit) {
  for (const Attribute& attribute : node.attributes) {
    if (const auto* block = std::get_if<std::shared_ptr<Block>>(&attribute.value)) {
      visit(**block);
    }
    if (const auto* blocks = std::get_if<std::vector<std::shared_ptr<Block>>>(&attribute.value)) {
      for (const auto& block : *blocks) {
        visit(*block);
      }
    }
  }
}

Block deep_copy(const Block& block) {
  Block copy = block;
  for (Node& node : copy.nodes) {
    for (Attribute& attribute : node.attributes) {
      if (auto* sub = std::get_if<std::shared_ptr<Block>>(&attribute.value)) {
        *sub = std::make_shared<Block>(deep_copy(**sub));
      }
      if (auto* subs = std::get_if<std::vector<std::shared_ptr<Block>>>(&attribute.value)) {
        for (auto& sub : *subs) {
          sub = std::make_shared<Block>(deep_copy(*sub));
        }
      }
    }
  }
  return copy;
}

/// Orders one block at a time; `made` are the values that are there already.
class Sorter {
 public:
  explicit Sorter(Graph& graph) : graph_(graph), made_(graph.values.size()) {}

  void sort(Block& block) {
    for (const ValueId id : block.inputs) {
      make(id, "an input");
    }
    index(block);
    for (size_t i = 0; i < block.nodes.size(); ++i) {
      place_with_needs(block, i);
    }
    reorder(block);
    for (const ValueId id : block.outputs) {
      if (!is_there(id)) {
        throw Error(Kind::input, "output '{}' is made by no node", graph_.value(id).name);
      }
    }
  }

 private:
  enum class State : uint8_t { unseen, open, placed };

  bool is_there(ValueId id) const { return made_[static_cast<size_t>(id)] || graph_.is_constant(id); }

  void make(ValueId id, std::string_view maker) {
    if (made_[static_cast<size_t>(id)] || (graph_.is_constant(id) && maker != "an input")) {
      throw Error(Kind::input, "value '{}' is made twice", graph_.value(id).name);
    }
    made_[static_cast<size_t>(id)] = true;
  }

  void index(const Block& block) {
    producer_.clear();
    order_.clear();
    state_.assign(block.nodes.size(), State::unseen);
    for (size_t i = 0; i < block.nodes.size(); ++i) {
      for (const ValueId id : block.nodes[i].outputs) {
        if (id != kNoValue && !producer_.emplace(id, i).second) {
          throw Error(Kind::input, "value '{}' is made twice", graph_.value(id).name);
        }
      }
    }
  }

  /// Depth-first with a stack of its own: a file may hold a chain of any length.
  void place_with_needs(const Block& block, size_t start) {
    if (state_[start] != State::unseen) {
      return;
    }
    std::vector<size_t> stack = {start};
    while (!stack.empty()) {
      const size_t top = stack.back();
      if (state_[top] == State::placed) {
        stack.pop_back();
        continue;
      }
      const bool first_visit = state_[top] == State::unseen;
      state_[top] = State::open;
      if (first_visit && push_needs(block, top, stack)) {
        continue;
      }
      state_[top] = State::placed;
      order_.push_back(top);
      stack.pop_back();
    }
  }

  bool push_needs(const Block& block, size_t index, std::vector<size_t>& stack) {
    const size_t before = stack.size();
    for_each_read(block.nodes[index], [&](ValueId id) {
      const auto found = producer_.find(id);
      if (found == producer_.end()) {
        return;
      }
      if (state_[found->second] == State::open) {
        throw Error(Kind::input, "{} takes part in a cycle", describe(graph_, block.nodes[index]));
      }
      if (state_[found->second] == State::unseen) {
        stack.push_back(found->second);
      }
    });
    std::reverse(stack.begin() + static_cast<std::ptrdiff_t>(before), stack.end());
    return stack.size() > before;
  }

  void reorder(Block& block) {
    std::vector<Node> sorted;
    sorted.reserve(block.nodes.size());
    for (const size_t index : std::vector<size_t>(order_)) {
      Node& node = block.nodes[index];
      check_and_make(node);
      sorted.push_back(std::move(node));
    }
    block.nodes = std::move(sorted);
  }

  void check_and_make(Node& node) {
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && !is_there(id)) {
        throw Error(Kind::input, "{}: input '{}' is made by no node and is no initialiser", describe(graph_, node),
                    graph_.value(id).name);
      }
    }
    for_each_subgraph(node, [&](Block& block) { Sorter(*this).sort(block); });
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) {
        make(id, "a node");
      }
    }
  }

  Graph& graph_;
  std::vector<bool> made_;
  std::unordered_map<ValueId, size_t> producer_;
  std::vector<State> state_;
  std::vector<size_t> order_;
};

void mark_needed(const Block& block, std::vector<bool>& needed);

void mark_node(const Node& node, std::vector<bool>& needed) {
  for (const ValueId id : node.inputs) {
    if (id != kNoValue) {
      needed[static_cast<size_t>(id)] = true;
    }
  }
  for_each_subgraph(node, [&](const Block& block) { mark_needed(block, needed); });
}

bool is_needed(const Node& node, const std::vector<bool>& needed) {
  return std::any_of(node.outputs.begin(), node.outputs.end(),
                     [&](ValueId id) { return id != kNoValue && needed[static_cast<size_t>(id)]; });
}

void mark_needed(const Block& block, std::vector<bool>& needed) {
  for (const ValueId id : block.outputs) {
    needed[static_cast<size_t>(id)] = true;
  }
  for (const Node& node : std::views::reverse(block.nodes)) {
    if (is_needed(node, needed)) {
      mark_node(node, needed);
    }
  }
}

/// Applies `map` to every mention of a value.
void renumber(Block& block, const std::vector<ValueId>& map) {
  const auto apply = [&](ValueId& id) {
    if (id != kNoValue) {
      id = map[static_cast<size_t>(id)];
    }
  };
  for_each_block(block, [&](Block& b) {
    std::for_each(b.inputs.begin(), b.inputs.end(), apply);
    std::for_each(b.outputs.begin(), b.outputs.end(), apply);
    for (Node& node : b.nodes) {
      std::for_each(node.inputs.begin(), node.inputs.end(), apply);
      std::for_each(node.outputs.begin(), node.outputs.end(), apply);
    }
  });
}

}  // namespace

const Attribute* Node::find(std::string_view attribute) const {
  const auto found =
      std::find_if(attributes.begin(), attributes.end(), [&](const Attribute& a) { return a.name == attribute; });
  return found == attributes.end() ? nullptr : &*found;
}

int64_t Node::get_int(std::string_view attribute, int64_t otherwise) const {
  const Attribute* a = find(attribute);
  return a == nullptr ? otherwise : typed<int64_t>(*a);
}

float Node::get_float(std::string_view attribute, float otherwise) const {
  const Attribute* a = find(attribute);
  return a == nullptr ? otherwise : typed<float>(*a);
}

std::string Node::get_string(std::string_view attribute, std::string_view otherwise) const {
  const Attribute* a = find(attribute);
  return a == nullptr ? std::string(otherwise) : typed<std::string>(*a);
}

std::vector<int64_t> Node::get_ints(std::string_view attribute, std::vector<int64_t> otherwise) const {
  if (const Attribute* a = find(attribute)) {
    return typed<std::vector<int64_t>>(*a);
  }
  return otherwise;
}

void Node::set(std::string_view attribute, AttributeValue value) {
  for (Attribute& a : attributes) {
    if (a.name == attribute) {
      a.value = std::move(value);
      return;
    }
  }
  attributes.push_back({std::string(attribute), std::move(value)});
}

void Node::erase(std::string_view attribute) {
  std::erase_if(attributes, [&](const Attribute& a) { return a.name == attribute; });
}

ValueId Graph::add(std::string_view name) {
  std::string unique(name);
  for (int suffix = 1; find(unique); ++suffix) {
    unique = fmt::format("{}_{}", name, suffix);
  }
  values.push_back({.name = std::move(unique)});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_constant(std::string_view name, EncodingPtr constant) {
  const ValueId id = add(name);
  value(id).constant = std::move(constant);
  return id;
}

std::optional<ValueId> Graph::find(std::string_view name) const {
  const auto found = std::find_if(values.begin(), values.end(), [&](const Value& v) { return v.name == name; });
  if (found == values.end()) {
    return std::nullopt;
  }
  return static_cast<ValueId>(found - values.begin());
}

Graph deep_copy(const Graph& graph) { return {.values = graph.values, .main = deep_copy(graph.main)}; }

void for_each_node(const Block& block, const std::function<void(const Node&)>& visit) {
  for_each_block(block, [&](const Block& b) { std::for_each(b.nodes.begin(), b.nodes.end(), visit); });
}

void for_each_node(Block& block, const std::function<void(Node&)>& visit) {
  for_each_block(block, [&](Block& b) { std::for_each(b.nodes.begin(), b.nodes.end(), visit); });
}

void for_each_block(const Block& block, const std::function<void(const Block&)>& visit) {
  visit(block);
  for (const Node& node : block.nodes) {
    for_each_subgraph(node, [&](const Block& inner) { for_each_block(inner, visit); });
  }
}

void for_each_block(Block& block, const std::function<void(Block&)>& visit) {
  visit(block);
  for (const Node& node : block.nodes) {
    for_each_subgraph(node, [&](Block& inner) { for_each_block(inner, visit); });
  }
}

void for_each_read(const Node& node, const std::function<void(ValueId)>& visit) {
  for (const ValueId id : node.inputs) {
    if (id != kNoValue) {
      visit(id);
    }
  }
  for_each_subgraph(node, [&](const Block& block) {
    for (const Node& inner : block.nodes) {
      for_each_read(inner, visit);
    }
    for (const ValueId id : block.outputs) {
      visit(id);
    }
  });
}

Dataflow::Dataflow(const Graph& graph) : producers_(graph.values.size()), uses_(graph.values.size()) {
  for_each_block(graph.main, [&](const Block& block) {
    for (const Node& node : block.nodes) {
      for (const ValueId id : node.outputs) {
        if (id != kNoValue) {
          producers_[static_cast<size_t>(id)] = &node;
        }
      }
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != kNoValue) {
          uses_[static_cast<size_t>(node.inputs[i])].push_back({&node, i});
        }
      }
    }
    for (size_t i = 0; i < block.outputs.size(); ++i) {
      uses_[static_cast<size_t>(block.outputs[i])].push_back({nullptr, i});
    }
  });
}

bool Dataflow::is_graph_output(ValueId id) const {
  return std::any_of(uses(id).begin(), uses(id).end(), [](const Use& use) { return use.node == nullptr; });
}

void replace_uses(Graph& graph, ValueId from, ValueId to) {
  for_each_block(graph.main, [&](Block& block) {
    for (Node& node : block.nodes) {
      std::replace(node.inputs.begin(), node.inputs.end(), from, to);
    }
    std::replace(block.outputs.begin(), block.outputs.end(), from, to);
  });
}

void remove_dead(Graph& graph) {
  std::vector<bool> needed(graph.values.size());
  mark_needed(graph.main, needed);
  for_each_block(graph.main, [&](Block& block) {
    std::erase_if(block.nodes, [&](const Node& n) { return !is_needed(n, needed); });
  });

  for_each_block(graph.main, [&](const Block& block) {
    for (const ValueId id : block.inputs) {
      needed[static_cast<size_t>(id)] = true;
    }
    for (const Node& node : block.nodes) {
      for (const ValueId id : node.outputs) {
        if (id != kNoValue) {
          needed[static_cast<size_t>(id)] = true;
        }
      }
    }
  });
  std::vector<ValueId> map(graph.values.size(), kNoValue);
  std::vector<Value> kept;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (!needed[i]) {
      continue;
    }
    map[i] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(kept);
  renumber(graph.main, map);
}

void sort_and_validate(Graph& graph) {
  std::unordered_set<std::string_view> names;
  for (const Value& value : graph.values) {
    if (value.name.empty()) {
      throw Error(Kind::input, "a value has no name");
    }
    if (!names.insert(value.name).second) {
      throw Error(Kind::input, "two values are called '{}'", value.name);
    }
  }
  Sorter(graph).sort(graph.main);
}

std::string describe(const Graph& graph, const Node& node) {
  if (!node.name.empty()) {
    return fmt::format("node '{}'", node.name);
  }
  const ValueId output = node.output(0);
  return fmt::format("node {} -> '{}'", node.op_type, output == kNoValue ? "" : graph.value(output).name);
}

}  // namespace terse
