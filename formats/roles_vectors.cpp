#include "formats/roles_vectors.h"

#include <algorithm>
#include <array>

namespace terse {
namespace {

/// Inputs whose meaning is their operator's.
struct InputRow {
  std::string_view op;
  size_t input;
  RoleKind kind;
};
constexpr std::array kInputs = {
    InputRow{"BatchNormalization", 1, RoleKind::norm},
    InputRow{"BatchNormalization", 2, RoleKind::norm},
    InputRow{"BiasGelu", 1, RoleKind::bias},
    InputRow{"FastGelu", 1, RoleKind::bias},
    InputRow{"GroupNormalization", 1, RoleKind::norm},
    InputRow{"GroupNormalization", 2, RoleKind::norm},
    InputRow{"LayerNormalization", 1, RoleKind::norm},
    InputRow{"LayerNormalization", 2, RoleKind::norm},
    InputRow{"MoE", 2, RoleKind::up},
    InputRow{"MoE", 3, RoleKind::bias},
    InputRow{"MoE", 4, RoleKind::down},
    InputRow{"MoE", 5, RoleKind::bias},
    InputRow{"MoE", 6, RoleKind::up},
    InputRow{"MoE", 7, RoleKind::bias},
    InputRow{"MultiHeadAttention", 3, RoleKind::bias},
    InputRow{"RMSNormalization", 1, RoleKind::norm},
    InputRow{"SimplifiedLayerNormalization", 1, RoleKind::norm},
    InputRow{"SkipLayerNormalization", 2, RoleKind::norm},
    InputRow{"SkipLayerNormalization", 3, RoleKind::norm},
    InputRow{"SkipLayerNormalization", 4, RoleKind::bias},
    InputRow{"SkipSimplifiedLayerNormalization", 2, RoleKind::norm},
    InputRow{"SkipSimplifiedLayerNormalization", 3, RoleKind::bias},
};

/// The first matrix of experts is gated by the third if there is one, by its own other half if the activation says so.
RoleKind first_experts_kind(const Node& node) {
  if (node.input(6) != kNoValue) {
    return RoleKind::gate;
  }
  return node.get_string("activation_type", "").find("glu") != std::string::npos ? RoleKind::gate_up : RoleKind::up;
}

std::optional<RoleKind> find_input_kind(const Use& use) {
  const auto* row = std::find_if(kInputs.begin(), kInputs.end(), [&](const InputRow& candidate) {
    return candidate.op == use.node->op_type && candidate.input == use.input;
  });
  if (row == kInputs.end()) {
    return std::nullopt;
  }
  return row->op == "MoE" && row->input == 2 ? first_experts_kind(*use.node) : row->kind;
}

bool is_vector(const Encoding& encoding) {
  return !encoding.shape.empty() && is_float(compute_dtype(encoding)) &&
         std::count_if(encoding.shape.begin(), encoding.shape.end(), [](int64_t size) { return size != 1; }) <= 1;
}

class VectorRoles {
 public:
  VectorRoles(const Flows& flows, const Layers& layers, const std::vector<Role>& roles)
      : flows_(flows), layers_(layers), roles_(roles), last_linear_(static_cast<size_t>(layers.count()), -1) {
    for (size_t i = 0; i < roles.size(); ++i) {
      if (roles[i].layer >= 0) {
        int& last = last_linear_[static_cast<size_t>(roles[i].layer)];
        last = std::max(last, flows.linears()[i].position);
      }
    }
  }

  void add(ValueId weight, std::vector<WeightUse>& uses) const {
    for (const Use& use : readers(weight)) {
      const Role role = role_of(weight, use);
      // A constant without a role is no parameter of its reader's module: it keeps its own name.
      uses.push_back({weight, flows_.position(use.node), role, role.kind == RoleKind::other ? nullptr : use.node});
    }
  }

 private:
  const Graph& graph() const { return flows_.graph(); }

  /// The nodes at which a constant meets what is none, through arithmetic on constants: 1 + gain, for instance.
  std::vector<Use> readers(ValueId weight) const {
    std::vector<Use> found;
    flows_.walk_forward(weight, [&](const Use& use) {
      const auto is_plain = [&](ValueId id) {
        return id == kNoValue || id == use.node->inputs[use.input] || graph().is_constant(id);
      };
      const bool is_constant =
          find_flow(*use.node) != nullptr && std::all_of(use.node->inputs.begin(), use.node->inputs.end(), is_plain);
      if (!is_constant) {
        found.push_back(use);
      }
      return is_constant;
    });
    return found;
  }

  Role role_of(ValueId weight, const Use& use) const {
    if (const auto kind = find_input_kind(use)) {
      return {*kind, *kind == RoleKind::norm ? norm_layer(*use.node) : layers_.at(flows_.position(use.node))};
    }
    if (!is_vector(*graph().value(weight).constant)) {
      return {};
    }
    const auto linear = flows_.linear_of(use.node);
    if (linear && use.input == 2) {
      return bias_of(*linear);
    }
    const ValueId other = use.node->inputs.size() == 2 ? use.node->inputs[1 - use.input] : kNoValue;
    if (linear || !flows_.is_hidden(other)) {
      return {};
    }
    if (use.node->is("Add") || use.node->is("Sub")) {
      return role_of_sum(*use.node, other);
    }
    const bool is_gain = use.node->is("Mul") && graph().value(weight).constant->columns() > 1;
    return is_gain ? Role{RoleKind::norm, norm_layer(*use.node)} : Role{};
  }

  Role bias_of(size_t linear) const { return {RoleKind::bias, roles_[linear].layer}; }

  Role role_of_sum(const Node& node, ValueId other) const {
    const Trace trace = flows_.trace_back(other, kWiring);
    if (const auto linear = trace.single()) {
      return bias_of(*linear);
    }
    const Node* before = flows_.dataflow().producer(flows_.source_of(other));
    if (before != nullptr && before->is("Mul")) {
      return {RoleKind::norm, norm_layer(node)};
    }
    return {RoleKind::bias, layers_.at(flows_.position(&node))};
  }

  /// A norm behind a layer's last linear is the layer's if it ends the branch, or if norms follow residuals in it;
  /// else it is the one behind all layers.
  int norm_layer(const Node& node) const {
    const int position = flows_.position(&node);
    const int layer = layers_.at(position);
    if (layer < 0 || position <= last_linear_[static_cast<size_t>(layer)] ||
        meets_residual(flows_, node.output(0), std::nullopt)) {
      return layer;
    }
    return !layers_.is_pre_norm(layer) && follows_residual(node) ? layer : -1;
  }

  bool follows_residual(const Node& norm) const {
    constexpr int kLongestNorm = 12;
    const Node* node = &norm;
    for (int step = 0; node != nullptr && step < kLongestNorm; ++step) {
      const FlowRow* row = find_flow(*node);
      if (row == nullptr || flows_.linear_of(node) || row->flow == kActivation) {
        return false;
      }
      std::vector<ValueId> hidden;
      for (const ValueId input : data_inputs(*node, *row)) {
        if (flows_.is_hidden(input)) {
          hidden.push_back(input);
        }
      }
      if (hidden.empty() || (node->is("Add") && hidden.size() > 1)) {
        return !hidden.empty();
      }
      node = flows_.dataflow().producer(hidden.front());
    }
    return false;
  }

  const Flows& flows_;
  const Layers& layers_;
  const std::vector<Role>& roles_;
  std::vector<int> last_linear_;  ///< by layer
};

RoleKind table_kind(Indices indices) {
  switch (indices) {
    case Indices::tokens:
      return RoleKind::embedding;
    case Indices::positions:
      return RoleKind::position;
    case Indices::experts:
      break;
  }
  return RoleKind::bias;
}

}  // namespace

void add_tables(const Flows& flows, std::vector<WeightUse>& uses) {
  for (const Node* node : flows.nodes()) {
    const bool is_gather = node->is("Gather");
    if ((!is_gather && !node->is("Slice")) || node->input(0) == kNoValue) {
      continue;
    }
    for (const ValueId table : flows.matrices_behind(node->inputs[0])) {
      const Indices indices = is_gather ? indices_of(flows, node->input(1)) : Indices::positions;
      const bool is_expert = indices == Indices::experts && flows.graph().value(table).constant->shape.size() > 2;
      if (!is_expert) {
        uses.push_back({table, flows.position(node), {table_kind(indices)}, node});
      }
    }
  }
}

void add_vectors(const Flows& flows, const Layers& layers, const std::vector<Role>& roles,
                 std::vector<WeightUse>& uses) {
  const VectorRoles vectors(flows, layers, roles);
  for (size_t id = 0; id < flows.graph().values.size(); ++id) {
    const Value& value = flows.graph().values[id];
    const bool is_used = value.constant != nullptr && is_float(compute_dtype(*value.constant));
    const bool is_covered = std::any_of(uses.begin(), uses.end(),
                                        [&](const WeightUse& use) { return use.weight == static_cast<ValueId>(id); });
    if (is_used && !is_covered) {
      vectors.add(static_cast<ValueId>(id), uses);
    }
  }
}

}  // namespace terse
