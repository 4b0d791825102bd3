#include "formats/roles_flow.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace terse {
namespace {

constexpr size_t kAll = SIZE_MAX;

/// A trace this long has left the block that it started in.
constexpr size_t kLongestTrace = 400;

constexpr std::array kFlows = {
    FlowRow{"Abs", kArithmetic},
    FlowRow{"Add", kArithmetic, 0, kAll},
    FlowRow{"BiasGelu", kActivation},
    FlowRow{"Cast", kWiring},
    FlowRow{"Clip", kArithmetic},
    FlowRow{"Concat", kWiring, 0, kAll},
    FlowRow{"Div", kArithmetic, 0, kAll},
    FlowRow{"Dropout", kWiring},
    FlowRow{"Elu", kActivation},
    FlowRow{"Erf", kActivation},
    FlowRow{"Expand", kWiring},
    FlowRow{"FastGelu", kActivation},
    FlowRow{"Flatten", kWiring},
    FlowRow{"Gather", kWiring},
    FlowRow{"GatherElements", kWiring},
    FlowRow{"Gelu", kActivation},
    FlowRow{"HardSigmoid", kActivation},
    FlowRow{"HardSwish", kActivation},
    FlowRow{"Identity", kWiring},
    FlowRow{"LayerNormalization", kNorm},
    FlowRow{"LeakyRelu", kActivation},
    FlowRow{"LogSoftmax", kSoftmax},
    FlowRow{"LpNormalization", kNorm},
    FlowRow{"Max", kArithmetic, 0, kAll},
    FlowRow{"Min", kArithmetic, 0, kAll},
    FlowRow{"Mish", kActivation},
    FlowRow{"Mul", kArithmetic, 0, kAll},
    FlowRow{"Neg", kArithmetic},
    FlowRow{"Pad", kWiring},
    FlowRow{"Pow", kArithmetic},
    FlowRow{"QuickGelu", kActivation},
    FlowRow{"RMSNormalization", kNorm},
    FlowRow{"Reciprocal", kNorm},
    FlowRow{"ReduceMean", kNorm},
    FlowRow{"ReduceSum", kArithmetic},
    FlowRow{"Relu", kActivation},
    FlowRow{"Reshape", kWiring},
    FlowRow{"RotaryEmbedding", kArithmetic},
    FlowRow{"Sigmoid", kActivation},
    FlowRow{"SimplifiedLayerNormalization", kNorm},
    FlowRow{"Slice", kWiring},
    FlowRow{"Softmax", kSoftmax},
    FlowRow{"Softplus", kActivation},
    FlowRow{"Split", kWiring},
    FlowRow{"Sqrt", kNorm},
    FlowRow{"Squeeze", kWiring},
    FlowRow{"Sub", kArithmetic, 0, kAll},
    FlowRow{"Sum", kArithmetic, 0, kAll},
    FlowRow{"Swish", kActivation},
    FlowRow{"Tanh", kActivation},
    FlowRow{"Tile", kWiring},
    FlowRow{"Transpose", kWiring},
    FlowRow{"Unsqueeze", kWiring},
    FlowRow{"Where", kWiring, 1, 2},
};

/// What may stand between the matrices of a product's constant operand and the product.
constexpr std::array<std::string_view, 9> kWeightWiring = {"Cast",    "Concat",  "Gather",    "GatherND", "Identity",
                                                           "Reshape", "Squeeze", "Transpose", "Unsqueeze"};

/// What changes a value's form but not its rows.
constexpr std::array<std::string_view, 6> kForms = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};

template <size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op_type) != ops.end();
}

bool cuts_pieces(const Node& node) { return node.is("Split") || node.is("Slice") || node.is("Gather"); }

bool is_float_matrix(const Value& value) {
  return value.constant != nullptr && value.constant->shape.size() >= 2 && is_float(compute_dtype(*value.constant));
}

/// Sums over one column are no linear: a product of positions and frequencies, for instance.
bool sums_over_columns(const Graph& graph, const std::vector<ValueId>& matrices) {
  return std::any_of(matrices.begin(), matrices.end(),
                     [&](ValueId id) { return graph.value(id).constant->columns() > 1; });
}

/// One run of Flows::trace_back.
class BackwardTrace {
 public:
  BackwardTrace(const Flows& flows, unsigned permitted) : flows_(flows), permitted_(permitted) {}

  Trace run(ValueId from) {
    push({from, kNoValue});
    while (!open_.empty()) {
      const Place place = open_.back();
      open_.pop_back();
      if (place.value != kNoValue && !flows_.graph().is_constant(place.value)) {
        step(place);
      }
    }
    return std::move(trace_);
  }

 private:
  struct Place {
    ValueId value;
    ValueId piece;  ///< the last piece on the way here
    auto operator<=>(const Place&) const = default;
  };

  void push(Place place) {
    if (seen_.insert(place).second) {
      open_.push_back(place);
    }
  }

  void step(Place place) {
    const Node* node = flows_.dataflow().producer(place.value);
    if (const auto linear = flows_.linear_of(node)) {
      if (!trace_.pieces.contains(*linear)) {
        trace_.linears.push_back(*linear);
      }
      trace_.pieces[*linear].insert(place.piece);
      return;
    }
    const FlowRow* row = node == nullptr ? nullptr : find_flow(*node);
    if (row == nullptr || !is_permitted(*node, *row)) {
      trace_.is_complete = false;
      return;
    }
    trace_.is_activated = trace_.is_activated || row->flow == kActivation;
    for (const ValueId input : data_inputs(*node, *row)) {
      push({input, cuts_pieces(*node) ? place.value : place.piece});
    }
  }

  bool is_permitted(const Node& node, const FlowRow& row) const {
    if ((row.flow & permitted_) == 0 || seen_.size() > kLongestTrace) {
      return false;
    }
    const auto inputs = data_inputs(node, row);
    const auto variables =
        std::count_if(inputs.begin(), inputs.end(), [&](ValueId id) { return !flows_.graph().is_constant(id); });
    return (permitted_ & kSinglePath) == 0 || variables <= 1;
  }

  const Flows& flows_;
  unsigned permitted_;
  Trace trace_;
  std::vector<Place> open_;
  std::set<Place> seen_;
};

}  // namespace

const FlowRow* find_flow(const Node& node) {
  const auto* found = std::lower_bound(kFlows.begin(), kFlows.end(), std::string_view(node.op_type),
                                       [](const FlowRow& row, std::string_view op) { return row.op < op; });
  return found != kFlows.end() && found->op == node.op_type ? found : nullptr;
}

std::span<const ValueId> data_inputs(const Node& node, const FlowRow& row) {
  const std::span<const ValueId> inputs(node.inputs);
  const size_t first = std::min(row.first_input, inputs.size());
  return inputs.subspan(first, std::min(row.input_count, inputs.size() - first));
}

bool carries(const Node& node, size_t input, unsigned flows) {
  const FlowRow* row = find_flow(node);
  return row != nullptr && (row->flow & flows) != 0 && input >= row->first_input &&
         input - row->first_input < row->input_count;
}

Flows::Flows(const Graph& graph) : graph_(graph), dataflow_(graph), is_hidden_(graph.values.size()) {
  assert(std::is_sorted(kFlows.begin(), kFlows.end(), [](const FlowRow& a, const FlowRow& b) { return a.op < b.op; }));
  for_each_node(graph.main, [&](const Node& node) {
    positions_.emplace(&node, static_cast<int>(nodes_.size()));
    nodes_.push_back(&node);
  });
  find_linears();
  find_hidden();
}

int Flows::position(const Node* node) const {
  const auto found = positions_.find(node);
  return found == positions_.end() ? -1 : found->second;
}

std::optional<size_t> Flows::linear_of(const Node* node) const {
  const auto found = linear_of_.find(node);
  return found == linear_of_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<ValueId> Flows::matrices_behind(ValueId id) const {
  std::vector<ValueId> open = {id}, matrices;
  size_t lowest_rank = 2;
  for (size_t steps = 0; !open.empty(); ++steps) {
    const ValueId next = open.back();
    open.pop_back();
    if (next == kNoValue || steps > kLongestTrace) {
      return {};
    }
    if (graph_.is_constant(next)) {
      if (is_float_matrix(graph_.value(next))) {
        matrices.push_back(next);
      }
      continue;
    }
    const Node* node = dataflow_.producer(next);
    if (node == nullptr || !is_one_of(*node, kWeightWiring)) {
      return {};
    }
    // A row picked from a table is an activation, a matrix picked from a stack is an expert's weight.
    lowest_rank = node->is("Gather") || node->is("GatherND") ? 3 : lowest_rank;
    const bool joins = node->is("Concat");
    open.insert(open.end(), node->inputs.begin(), joins ? node->inputs.end() : node->inputs.begin() + 1);
  }
  const bool are_matrices = std::all_of(matrices.begin(), matrices.end(), [&](ValueId matrix) {
    return graph_.value(matrix).constant->shape.size() >= lowest_rank;
  });
  return are_matrices ? matrices : std::vector<ValueId>{};
}

void Flows::find_linears() {
  for (const Node* node : nodes_) {
    if ((!node->is("MatMul") && !node->is("Gemm")) || node->inputs.size() < 2) {
      continue;
    }
    for (const size_t operand : {size_t{1}, size_t{0}}) {
      const ValueId activation = node->inputs[1 - operand];
      auto matrices = matrices_behind(node->inputs[operand]);
      if (sums_over_columns(graph_, matrices) && !graph_.is_constant(activation)) {
        linear_of_.emplace(node, linears_.size());
        linears_.push_back({node, activation, std::move(matrices), position(node)});
        break;
      }
    }
  }
}

void Flows::find_hidden() {
  for (const Node* node : nodes_) {
    const bool is_table = (node->is("Gather") || node->is("GatherND")) && node->input(0) != kNoValue &&
                          is_float_matrix(graph_.value(node->inputs[0]));
    const bool passes_on =
        !node->is("Shape") && !node->is("Size") &&
        std::any_of(node->inputs.begin(), node->inputs.end(), [&](ValueId id) { return is_hidden(id); });
    if (!is_table && !passes_on && !linear_of(node)) {
      continue;
    }
    for (const ValueId id : node->outputs) {
      if (id != kNoValue) {
        is_hidden_[static_cast<size_t>(id)] = true;
      }
    }
  }
}

ValueId Flows::source_of(ValueId id) const {
  for (const Node* node = dataflow_.producer(id); node != nullptr && is_one_of(*node, kForms) && !node->inputs.empty();
       node = dataflow_.producer(id)) {
    if (node->inputs[0] == kNoValue) {
      break;
    }
    id = node->inputs[0];
  }
  return id;
}

void Flows::walk_forward(ValueId from, const std::function<bool(const Use&)>& visit) const {
  std::vector<ValueId> open = {from};
  std::set<ValueId> seen(open.begin(), open.end());
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    for (const Use& use : dataflow_.uses(id)) {
      if (use.node == nullptr || !visit(use)) {
        continue;
      }
      for (const ValueId out : use.node->outputs) {
        if (out != kNoValue && seen.insert(out).second) {
          open.push_back(out);
        }
      }
    }
  }
}

Trace Flows::trace_back(ValueId from, unsigned flows) const { return BackwardTrace(*this, flows).run(from); }

}  // namespace terse
