#include "formats/roles_linears.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "formats/roles_layers.h"

namespace terse {
namespace {

/// More rows than a classifier has classes.
constexpr int64_t kSmallestVocabulary = 4096;

/// What the operators for experts make of their inputs; `router` is where their shares come in.
struct ExpertsRow {
  std::string_view domain, op;
  size_t router;
};
constexpr std::array kExperts = {
    ExpertsRow{"", "TopK", 0},
    ExpertsRow{"com.microsoft", "MoE", 1},
    ExpertsRow{"com.microsoft", "QMoE", 1},
};

bool is_feed_forward(RoleKind kind) {
  return kind == RoleKind::gate || kind == RoleKind::up || kind == RoleKind::gate_up || kind == RoleKind::down;
}

class LinearRoles {
 public:
  LinearRoles(const Flows& flows, const std::vector<Attention>& attentions)
      : flows_(flows), kinds_(flows.linears().size(), RoleKind::other) {
    for (const Attention& attention : attentions) {
      add_attention(attention);
    }
    for (const ValueId output : flows.graph().main.outputs) {
      add_output(output);
    }
    for (const Node* node : flows.nodes()) {
      add_router(*node);
      add_gate(*node);
    }
    for (size_t index = 0; index < kinds_.size(); ++index) {
      add_down(index);
    }
  }

  const std::vector<RoleKind>& kinds() const { return kinds_; }

 private:
  const Linear& linear(size_t index) const { return flows_.linears()[index]; }
  bool is(size_t index, RoleKind kind) const { return kinds_[index] == kind; }

  /// The first role stays.
  void set(size_t index, RoleKind kind) {
    if (kinds_[index] == RoleKind::other) {
      kinds_[index] = kind;
    }
  }

  static bool holds(const std::vector<size_t>& indices, size_t index) {
    return std::find(indices.begin(), indices.end(), index) != indices.end();
  }

  void add_attention(const Attention& a) {
    for (const auto& [operand, kind] :
         {std::pair(&a.q, RoleKind::q), std::pair(&a.k, RoleKind::k), std::pair(&a.v, RoleKind::v)}) {
      for (const size_t index : *operand) {
        const int operands = (holds(a.q, index) ? 1 : 0) + (holds(a.k, index) ? 1 : 0) + (holds(a.v, index) ? 1 : 0);
        set(index, operands > 1 ? RoleKind::qkv : kind);
      }
    }
    for (const size_t index : a.output) {
      set(index, RoleKind::attention_output);
    }
  }

  int64_t rows(size_t index) const {
    const Shape& shape = flows_.graph().value(linear(index).weights.front()).constant->shape;
    return shape[shape.size() - 2];
  }

  /// True if the linear reads one chosen token of each sequence.
  bool reads_one_token(size_t index) const {
    ValueId id = linear(index).activation;
    for (const Node* node = flows_.dataflow().producer(id); node != nullptr; node = flows_.dataflow().producer(id)) {
      if (node->is("Slice") || node->is("Gather")) {
        return true;
      }
      const FlowRow* row = find_flow(*node);
      if (row == nullptr || row->flow != kWiring || node->inputs.empty() || node->inputs[0] == kNoValue) {
        return false;
      }
      id = node->inputs[0];
    }
    return false;
  }

  static bool is_scores_name(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    return lower.find("logits") != std::string::npos || lower.find("score") != std::string::npos;
  }

  void add_output(ValueId output) {
    const Trace trace = flows_.trace_back(output, kElementwise | kSoftmax | kSinglePath);
    const auto index = trace.single();
    if (!index) {
      add_head_in_parts(output);
      return;
    }
    if (has_a_row_for_each_token(*index)) {
      set(*index, RoleKind::head);
    } else if (is_scores_name(flows_.graph().value(output).name)) {
      set(*index, RoleKind::classifier);
      add_pooler(linear(*index).activation);
    } else {
      add_pooler(output);
    }
  }

  bool has_a_row_for_each_token(size_t index) const {
    return rows(index) == vocabulary_rows(flows_) || rows(index) >= kSmallestVocabulary;
  }

  /// An output that is the sum of linears of pieces of one value, as MobileBERT's.
  void add_head_in_parts(ValueId output) {
    const Trace trace = flows_.trace_back(output, kArithmetic);
    if (trace.is_complete && std::all_of(trace.linears.begin(), trace.linears.end(),
                                         [&](size_t part) { return has_a_row_for_each_token(part); })) {
      for (const size_t part : trace.linears) {
        set(part, RoleKind::head);
      }
    }
  }

  void add_pooler(ValueId from) {
    const Trace trace = flows_.trace_back(from, kElementwise | kSinglePath);
    const auto index = trace.single();
    if (index && trace.is_activated && reads_one_token(*index)) {
      set(*index, RoleKind::pooler);
    }
  }

  void add_router(const Node& node) {
    for (const ExpertsRow& row : kExperts) {
      if (node.is(row.op, row.domain)) {
        const Trace trace = flows_.trace_back(node.input(row.router), kElementwise | kSoftmax);
        if (trace.linears.size() == 1) {
          set(trace.linears.front(), RoleKind::router);
        }
      }
    }
  }

  /// Two linears of one value, or two pieces of one linear's output, that meet in a Mul.
  void add_gate(const Node& node) {
    if (!node.is("Mul") || node.inputs.size() != 2) {
      return;
    }
    const Trace left = flows_.trace_back(node.inputs[0], kElementwise);
    const Trace right = left.single() ? flows_.trace_back(node.inputs[1], kElementwise) : Trace{};
    const auto a = left.single(), b = right.single();
    if (!a || !b || !is(*a, RoleKind::other) || !is(*b, RoleKind::other)) {
      return;
    }
    if (*a == *b) {
      if (are_distinct(left.pieces.at(*a), right.pieces.at(*a))) {
        set(*a, RoleKind::gate_up);
      }
    } else if (flows_.source_of(linear(*a).activation) == flows_.source_of(linear(*b).activation)) {
      const bool gate_is_right = right.is_activated && !left.is_activated;
      set(gate_is_right ? *b : *a, RoleKind::gate);
      set(gate_is_right ? *a : *b, RoleKind::up);
    }
  }

  static bool are_distinct(const std::set<ValueId>& a, const std::set<ValueId>& b) {
    return !a.contains(kNoValue) && !b.contains(kNoValue) &&
           std::none_of(a.begin(), a.end(), [&](ValueId piece) { return b.contains(piece); });
  }

  bool is_wide(size_t index) const { return is_feed_forward(kinds_[index]) && !is(index, RoleKind::down); }

  void add_down(size_t index) {
    if (!is(index, RoleKind::other)) {
      return;
    }
    const Trace trace = flows_.trace_back(linear(index).activation, kElementwise);
    if (trace.linears.empty()) {
      return;
    }
    if (std::all_of(trace.linears.begin(), trace.linears.end(), [&](size_t wide) { return is_wide(wide); })) {
      set(index, RoleKind::down);
      return;
    }
    const auto up = trace.single();
    if (up && trace.is_activated && is(*up, RoleKind::other) &&
        meets_residual(flows_, linear(index).node->output(0), index)) {
      set(*up, RoleKind::up);
      set(index, RoleKind::down);
    }
  }

  const Flows& flows_;
  std::vector<RoleKind> kinds_;
};

/// Experts that are linears of their own are numbered in each layer that has a router, each kind for itself. Where a
/// layer has its experts in one tensor, other linears of the kind are shared by all tokens, and no experts.
void number_experts(const Flows& flows, std::vector<Role>& roles) {
  std::map<std::pair<int, RoleKind>, std::vector<size_t>> alike;
  std::set<int> routed, stacked;
  for (size_t i = 0; i < roles.size(); ++i) {
    const int layer = roles[i].layer;
    const size_t rank = flows.graph().value(flows.linears()[i].weights.front()).constant->shape.size();
    if (roles[i].kind == RoleKind::router) {
      routed.insert(layer);
    } else if (is_feed_forward(roles[i].kind)) {
      alike[{layer, roles[i].kind}].push_back(i);
      if (rank > 2) {
        stacked.insert(layer);
      }
    }
  }
  for (const auto& [place, experts] : alike) {
    const bool are_experts = experts.size() > 1 && routed.contains(place.first) && !stacked.contains(place.first);
    for (size_t i = 0; are_experts && i < experts.size(); ++i) {
      roles[experts[i]].expert = static_cast<int>(i);
    }
  }
}

/// What only moves indices on their way to a table.
constexpr std::array<std::string_view, 10> kIndexWiring = {"Cast",    "Concat", "Flatten", "Identity",  "Pad",
                                                           "Reshape", "Slice",  "Squeeze", "Unsqueeze", "Where"};

/// True if an input of the graph is a sequence's tokens as far as its name can tell: positions and masks are told by
/// the names that exporters and runtimes agree on.
bool is_token_input(const Graph& graph, ValueId id) {
  const auto& inputs = graph.main.inputs;
  const std::string& name = graph.value(id).name;
  return std::find(inputs.begin(), inputs.end(), id) != inputs.end() && name.find("position") == std::string::npos &&
         name.find("mask") == std::string::npos;
}

}  // namespace

Indices indices_of(const Flows& flows, ValueId indices) {
  constexpr size_t kLongest = 200;
  std::vector<ValueId> open = {indices};
  std::set<ValueId> seen;
  bool has_tokens = false, is_moved_only = true;
  while (!open.empty() && seen.size() < kLongest) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || flows.graph().is_constant(id) || !seen.insert(id).second) {
      continue;
    }
    const Node* node = flows.dataflow().producer(id);
    if (node == nullptr) {
      has_tokens = has_tokens || is_token_input(flows.graph(), id);
    } else if (node->is("TopK")) {
      return Indices::experts;
    } else if (std::find(kIndexWiring.begin(), kIndexWiring.end(), node->op_type) != kIndexWiring.end()) {
      const FlowRow* row = find_flow(*node);
      const auto inputs = data_inputs(*node, *row);
      open.insert(open.end(), inputs.begin(), inputs.end());
    } else {
      is_moved_only = false;
    }
  }
  return has_tokens && is_moved_only ? Indices::tokens : Indices::positions;
}

int64_t vocabulary_rows(const Flows& flows) {
  int64_t rows = 0;
  for (const Node* node : flows.nodes()) {
    if (node->is("Gather") && flows.graph().is_constant(node->input(0)) &&
        flows.graph().value(node->inputs[0]).constant->shape.size() == 2 && flows.is_hidden(node->output(0)) &&
        indices_of(flows, node->input(1)) == Indices::tokens) {
      rows = std::max(rows, flows.graph().value(node->inputs[0]).constant->shape[0]);
    }
  }
  return rows;
}

std::vector<Role> find_linear_roles(const Flows& flows, const std::vector<Attention>& attentions) {
  const LinearRoles kinds(flows, attentions);
  std::vector<Role> roles = add_layers(flows, attentions, kinds.kinds());
  number_experts(flows, roles);
  return roles;
}

}  // namespace terse
