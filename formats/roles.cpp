#include "formats/roles.h"

#include <algorithm>
#include <array>

#include "formats/display_names.h"
#include "formats/roles_layers.h"
#include "formats/roles_linears.h"
#include "formats/roles_vectors.h"

namespace terse {
namespace {

struct RoleRow {
  RoleKind kind;
  std::string_view name;
};

constexpr std::array kRoles = {
    RoleRow{RoleKind::embedding, "embedding"},
    RoleRow{RoleKind::position, "position"},
    RoleRow{RoleKind::q, "q"},
    RoleRow{RoleKind::k, "k"},
    RoleRow{RoleKind::v, "v"},
    RoleRow{RoleKind::qkv, "qkv"},
    RoleRow{RoleKind::attention_output, "attention_output"},
    RoleRow{RoleKind::gate, "gate"},
    RoleRow{RoleKind::up, "up"},
    RoleRow{RoleKind::gate_up, "gate_up"},
    RoleRow{RoleKind::down, "down"},
    RoleRow{RoleKind::router, "router"},
    RoleRow{RoleKind::head, "head"},
    RoleRow{RoleKind::pooler, "pooler"},
    RoleRow{RoleKind::classifier, "classifier"},
    RoleRow{RoleKind::norm, "norm"},
    RoleRow{RoleKind::bias, "bias"},
    RoleRow{RoleKind::other, "other"},
};

bool is_float_constant(const Value& value) {
  return value.constant != nullptr && is_float(compute_dtype(*value.constant));
}

void set_roles(Graph& graph, std::vector<WeightUse> uses) {
  std::stable_sort(uses.begin(), uses.end(),
                   [](const WeightUse& a, const WeightUse& b) { return a.position < b.position; });
  for (Value& value : graph.values) {
    value.roles.clear();
    value.display_name.clear();
  }
  std::vector<const Node*> reader_of(graph.values.size());
  for (const WeightUse& use : uses) {
    std::vector<Role>& roles = graph.value(use.weight).roles;
    if (std::find(roles.begin(), roles.end(), use.role) == roles.end()) {
      roles.push_back(use.role);
    }
    const Node*& reader = reader_of[static_cast<size_t>(use.weight)];
    reader = reader == nullptr ? use.reader : reader;
  }
  for (Value& value : graph.values) {
    if (is_float_constant(value) && value.roles.empty()) {
      value.roles.push_back({});
    }
  }
  assign_display_names(graph, reader_of);
}

}  // namespace

std::string_view name(RoleKind kind) {
  return std::find_if(kRoles.begin(), kRoles.end(), [&](const RoleRow& row) { return row.kind == kind; })->name;
}

std::optional<RoleKind> find_role_kind(std::string_view name) {
  const auto* found = std::find_if(kRoles.begin(), kRoles.end(), [&](const RoleRow& row) { return row.name == name; });
  return found == kRoles.end() ? std::nullopt : std::optional(found->kind);
}

void assign_roles(Graph& graph) {
  const Flows flows(graph);
  const std::vector<Attention> attentions = find_attentions(flows);
  const std::vector<Role> roles = find_linear_roles(flows, attentions);
  std::vector<WeightUse> uses;
  for (size_t i = 0; i < roles.size(); ++i) {
    const Linear& linear = flows.linears()[i];
    for (const ValueId weight : linear.weights) {
      uses.push_back({weight, linear.position, roles[i], linear.node});
    }
  }
  add_tables(flows, uses);
  add_vectors(flows, Layers(attentions), roles, uses);
  set_roles(graph, std::move(uses));
}

}  // namespace terse
