#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "formats/architectures/places.h"
#include "formats/error.h"
#include "formats/row_slices.h"
#include "passes/pass_rows.h"
#include "passes/selection.h"
#include "passes/simplify_steps.h"

namespace terse::passes {
namespace {

constexpr int64_t kOpset = 13;  // has Split and ReduceSum with sizes and axes as inputs

/// What torch's exporters make of a layer of experts, a row for each place (an expert that a token goes through):
///
///     Gather(stack [E, out, in], chosen [places]) -> MatMul with rows -> what computes each row by itself
///       -> MatMul with another gathered stack -> .. -> Mul by shares [places, 1]
///
/// One such region, from the stacks to what is read outside of it.
struct Region {
  ValueId chosen = kNoValue;            ///< the experts of places
  std::map<ValueId, ValueId> stack_of;  ///< gathered matrices -> the stack
  std::vector<const Node*> nodes;       ///< in their order, without the gathers
  std::vector<ValueId> inputs;          ///< rows from outside
  std::vector<ValueId> outputs;         ///< rows that are read outside
};

/// What computes rows of its first input, or of both.
constexpr std::array<std::string_view, 18> kByRow = {"Add",     "Cast",     "Clip",  "Div", "Elu",   "Erf",
                                                     "Gelu",    "Identity", "Mul",   "Neg", "Pow",   "Relu",
                                                     "Sigmoid", "Slice",    "Split", "Sub", "Swish", "Tanh"};
constexpr std::array<std::string_view, 2> kReshaping = {"Squeeze", "Unsqueeze"};
/// What shares go through between the choice of experts and their use.
constexpr std::array<std::string_view, 9> kOfShares = {"Cast",    "Div",     "Identity",  "Mul",      "Reshape",
                                                       "Softmax", "Squeeze", "Unsqueeze", "ReduceSum"};
/// What the chosen experts' numbers go through.
constexpr std::array<std::string_view, 6> kOfIndices = {"Cast",    "Flatten", "Identity",
                                                        "Reshape", "Squeeze", "Unsqueeze"};

template <typename Names>
bool is_one_of(const Node& node, const Names& names) {
  return node.domain.empty() && std::ranges::find(names, node.op_type) != names.end();
}

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), dataflow_(graph) {}

  /// The regions of the graph, a stack in one of them each.
  std::vector<Region> find() const {
    std::vector<Region> regions;
    std::set<ValueId> seen;
    for (const Node& node : graph_.main.nodes) {
      if (is_stack_product(node) && !seen.contains(node.outputs[0])) {
        Region region = grow(node);
        for (const Node* inside : region.nodes) {
          seen.insert(inside->outputs.begin(), inside->outputs.end());
        }
        const auto is_named = [&](ValueId id) { return dataflow_.is_graph_output(id); };
        if (std::ranges::none_of(region.outputs, is_named)) {
          regions.push_back(std::move(region));
        }
      }
    }
    return regions;
  }

 private:
  /// The Gather of matrices of a stack of which nothing else is made, or null.
  const Node* find_gather(ValueId id) const {
    const Node* node = id == kNoValue ? nullptr : dataflow_.producer(id);
    const bool is_gather = node != nullptr && ((node->is("Gather") && node->get_int("axis", 0) == 0) ||
                                               (node->is("GatherND") && node->get_int("batch_dims", 0) == 0));
    if (!is_gather || !graph_.is_constant(node->inputs[0]) || dataflow_.uses(id).size() != 1 ||
        dataflow_.uses(node->inputs[0]).size() != 1) {
      return nullptr;
    }
    return graph_.value(node->inputs[0]).constant->shape.size() == 3 ? node : nullptr;
  }

  /// Which operand is gathered, as a linear's weight; nothing if none is.
  std::optional<size_t> gathered_operand(const Node& node) const {
    if (!node.is("MatMul")) {
      return std::nullopt;
    }
    if (find_gather(node.inputs[0]) != nullptr && node.get_int("transA", 0) == 0 && node.get_int("transB", 0) == 0) {
      return 0;
    }
    const bool is_right = find_gather(node.inputs[1]) != nullptr && node.get_int("transB", 0) != 0;
    return is_right ? std::optional<size_t>(1) : std::nullopt;
  }

  bool is_stack_product(const Node& node) const { return gathered_operand(node).has_value(); }

  ValueId source(ValueId id) const {
    const Node* node = dataflow_.producer(id);
    while (node != nullptr && is_one_of(*node, kOfIndices)) {
      id = node->inputs[0];
      node = dataflow_.producer(id);
    }
    return id;
  }

  /// True of axes that are not the first.
  bool keeps_rows(const Node& node) const {
    if (is_one_of(node, kByRow)) {
      return true;
    }
    if (!is_one_of(node, kReshaping)) {
      return false;
    }
    const auto axes = find_ints(graph_, node.input(1));
    return axes && std::ranges::all_of(*axes, [](int64_t axis) { return axis == -1 || axis == 1 || axis == 2; });
  }

  /// True if a value comes of what TopK says of the experts that it has chosen.
  bool is_shares(ValueId id, ValueId chosen) const {
    const Node* choice = dataflow_.producer(source(chosen));
    std::vector<ValueId> open = {id};
    for (size_t seen = 0; !open.empty() && seen < 32; ++seen) {
      const ValueId value = open.back();
      open.pop_back();
      const Node* node = value == kNoValue ? nullptr : dataflow_.producer(value);
      if (node != nullptr && node == choice) {
        return true;
      }
      if (node != nullptr && is_one_of(*node, kOfShares)) {
        open.insert(open.end(), node->inputs.begin(), node->inputs.end());
      }
    }
    return false;
  }

  /// Takes a node in if all that it reads is rows of the region, constants, matrices of the same choice, or shares.
  bool takes(const Node& node, const std::set<ValueId>& inside, Region& region) const {
    const auto operand = gathered_operand(node);
    if (operand) {
      const Node& gather = *find_gather(node.inputs[*operand]);
      if (source(gather.inputs[1]) != source(region.chosen) || !inside.contains(node.inputs[1 - *operand])) {
        return false;
      }
      region.stack_of[node.inputs[*operand]] = gather.inputs[0];
      return true;
    }
    std::vector<ValueId> from_outside;
    for (const ValueId input : node.inputs) {
      if (input != kNoValue && !inside.contains(input) && !graph_.is_constant(input)) {
        from_outside.push_back(input);
      }
    }
    const bool may_have = from_outside.empty() || (node.is("Mul") && is_shares(from_outside[0], region.chosen));
    if (!keeps_rows(node) || !may_have) {
      return false;
    }
    region.inputs.insert(region.inputs.end(), from_outside.begin(), from_outside.end());
    return true;
  }

  Region grow(const Node& first) const {
    const size_t operand = *gathered_operand(first);
    const Node& gather = *find_gather(first.inputs[operand]);
    Region region{.chosen = gather.inputs[1],
                  .stack_of = {{first.inputs[operand], gather.inputs[0]}},
                  .nodes = {&first},
                  .inputs = {first.inputs[1 - operand]}};
    std::set<ValueId> inside(first.outputs.begin(), first.outputs.end());
    for (const Node& node : graph_.main.nodes) {
      const bool reads = std::ranges::any_of(node.inputs, [&](ValueId id) { return inside.contains(id); });
      if (reads && takes(node, inside, region)) {
        region.nodes.push_back(&node);
        inside.insert(node.outputs.begin(), node.outputs.end());
      }
    }
    note_outputs(region, inside);
    return region;
  }

  void note_outputs(Region& region, const std::set<ValueId>& inside) const {
    for (const ValueId id : inside) {
      const bool is_read_outside = std::ranges::any_of(dataflow_.uses(id), [&](const Use& use) {
        return use.node == nullptr || std::ranges::find(region.nodes, use.node) == region.nodes.end();
      });
      if (is_read_outside) {
        region.outputs.push_back(id);
      }
    }
  }

  const Graph& graph_;
  Dataflow dataflow_;
};

class Splitter {
 public:
  Splitter(Graph& graph, const Region& region) : graph_(graph), builder_(graph), region_(region) {
    for (const Node* node : region.nodes) {
      nodes_.push_back(*node);  // the graph's own move when nodes are added
    }
  }

  void split() {
    const int64_t experts = graph_.value(region_.stack_of.begin()->second).constant->shape[0];
    const architectures::OpBuilder::Scope scope(builder_, "experts");
    const ValueId chosen = builder_.reshape(region_.chosen, {-1});
    const architectures::Places places = architectures::split_places(builder_, chosen, experts);
    std::map<ValueId, std::vector<ValueId>> parts;
    for (int64_t expert = 0; expert < experts; ++expert) {
      const auto made = copy(expert, places.of_experts[static_cast<size_t>(expert)]);
      for (const ValueId output : region_.outputs) {
        parts[output].push_back(made.at(output));
      }
    }
    for (const auto& [output, of_experts] : parts) {
      replace_uses(graph_, output, architectures::join_places(builder_, places, of_experts));
    }
  }

 private:
  /// The region for one expert and its places; what stands for each of its values.
  std::map<ValueId, ValueId> copy(int64_t expert, ValueId places) {
    std::map<ValueId, ValueId> made;
    for (const ValueId input : region_.inputs) {
      made.emplace(input, builder_.op("Gather", {input, places}, {{.name = "axis", .value = int64_t{0}}}));
    }
    for (const Node& node : nodes_) {
      if (const auto output = multiply(node, expert, made)) {
        made[node.outputs[0]] = *output;
        continue;
      }
      std::vector<ValueId> inputs;
      std::ranges::transform(node.inputs, std::back_inserter(inputs),
                             [&](ValueId input) { return made.contains(input) ? made.at(input) : input; });
      const auto outputs = builder_.op_n(node.op_type, inputs, node.outputs.size(), node.attributes);
      for (size_t i = 0; i < outputs.size(); ++i) {
        made[node.outputs[i]] = outputs[i];
      }
    }
    return made;
  }

  /// The product by an expert's matrix if the node is one by gathered ones. A matrix on the left multiplies a column.
  std::optional<ValueId> multiply(const Node& node, int64_t expert, const std::map<ValueId, ValueId>& made) {
    for (size_t operand = 0; operand < 2 && node.is("MatMul"); ++operand) {
      const auto stack = region_.stack_of.find(node.inputs[operand]);
      if (stack == region_.stack_of.end()) {
        continue;
      }
      const ValueId weight = matrix(stack->second, expert), rows = made.at(node.inputs[1 - operand]);
      if (operand == 1) {
        return builder_.linear(rows, weight);
      }
      const ValueId last = builder_.ints({-1});
      return builder_.op("Unsqueeze", {builder_.linear(builder_.op("Squeeze", {rows, last}), weight), last});
    }
    return std::nullopt;
  }

  ValueId matrix(ValueId stack, int64_t expert) {
    const Value& whole = graph_.value(stack);
    const int64_t rows = whole.constant->shape[1];
    const EncodingPtr part = slice_rows(whole.constant, expert * rows, rows);
    std::vector<Role> roles = whole.roles;
    for (Role& role : roles) {
      role.expert = static_cast<int>(expert);
    }
    const std::string name = fmt::format("{}.{}", whole.name, expert);
    const std::string shown = fmt::format("{}.{}", shown_name(whole), expert);
    const auto type = whole.type;
    const ValueId id = graph_.add_constant(name, part);
    Value& value = graph_.value(id);
    value.roles = std::move(roles);
    value.display_name = shown;
    if (type) {
      value.type = ValueType{.dtype = type->dtype, .shape = {}};
    }
    return id;
  }

  Graph& graph_;
  architectures::OpBuilder builder_;
  const Region& region_;
  std::vector<Node> nodes_;
};

int64_t opset_of(const Model& model) {
  const auto found = model.opsets.find("");
  return found == model.opsets.end() ? 0 : found->second;
}

/// One region at a time: adding nodes moves those that others point to.
void split_experts(Model& model) {
  for (bool is_changed = opset_of(model) >= kOpset; is_changed;) {
    const std::vector<Region> regions = Finder(model.graph).find();
    is_changed = !regions.empty();
    if (is_changed) {
      Splitter(model.graph, regions.front()).split();
      sort_and_validate(model.graph);
      remove_dead(model.graph);
    }
  }
}

}  // namespace

constinit const PassRow kSplitExperts = {
    .name = "split-experts",
    .summary = "gives experts whose matrices lie in one tensor linears of their own, which see their own tokens alone",
    .stage = Stage::rewrite,
    .rewrite = [](Model& model, const Arguments&) { split_experts(model); },
};

}  // namespace terse::passes
