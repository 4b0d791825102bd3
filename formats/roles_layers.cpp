#include "formats/roles_layers.h"

#include <algorithm>

namespace terse {
namespace {

/// Roles that a layer's linears have; those of others stand outside of layers.
bool is_layers_own(RoleKind kind) {
  switch (kind) {
    case RoleKind::q:
    case RoleKind::k:
    case RoleKind::v:
    case RoleKind::qkv:
    case RoleKind::attention_output:
    case RoleKind::gate:
    case RoleKind::up:
    case RoleKind::gate_up:
    case RoleKind::down:
    case RoleKind::router:
      return true;
    default:
      return false;
  }
}

/// Layers of the linears of attentions, by linear; -1 for others.
std::vector<int> attention_layers(const Flows& flows, const std::vector<Attention>& attentions, const Layers& layers) {
  std::vector<int> result(flows.linears().size(), -1);
  for (size_t i = 0; i < attentions.size(); ++i) {
    const Attention& a = attentions[i];
    for (const auto* linears : {&a.q, &a.k, &a.v, &a.output}) {
      for (const size_t index : *linears) {
        result[index] = result[index] == -1 ? layers.of_attention(i) : result[index];
      }
    }
  }
  return result;
}

}  // namespace

Layers::Layers(const std::vector<Attention>& attentions) {
  for (const Attention& attention : attentions) {
    if (!attention.is_cross) {
      const int floor = stretches_.empty() ? 0 : stretches_.back().first_position;
      stretches_.push_back({std::max(floor, attention.first_position), attention.has_own_norm});
    }
    of_attention_.push_back(count() - 1);
  }
}

int Layers::at(int position) const {
  const auto after = std::upper_bound(stretches_.begin(), stretches_.end(), position,
                                      [](int p, const Stretch& stretch) { return p < stretch.first_position; });
  return static_cast<int>(after - stretches_.begin()) - 1;
}

bool meets_residual(const Flows& flows, ValueId from, std::optional<size_t> maker) {
  bool meets = false;
  flows.walk_forward(from, [&](const Use& use) {
    if (meets || flows.linear_of(use.node) || !carries(*use.node, use.input, kElementwise | kNorm)) {
      return false;
    }
    for (const ValueId input : use.node->inputs) {
      if (use.node->is("Add") && input != use.node->inputs[use.input] && flows.is_hidden(input)) {
        const Trace other = flows.trace_back(input, kElementwise | kNorm);
        meets = meets || !maker || other.single() != maker;
      }
    }
    return !meets;
  });
  return meets;
}

std::vector<Role> add_layers(const Flows& flows, const std::vector<Attention>& attentions,
                             const std::vector<RoleKind>& kinds) {
  const Layers layers(attentions);
  const std::vector<int> of_attention = attention_layers(flows, attentions, layers);
  int last_position = -1;
  for (size_t i = 0; i < kinds.size(); ++i) {
    last_position = is_layers_own(kinds[i]) ? std::max(last_position, flows.linears()[i].position) : last_position;
  }
  std::vector<Role> roles;
  for (size_t i = 0; i < kinds.size(); ++i) {
    const int position = flows.linears()[i].position;
    const bool is_inside = is_layers_own(kinds[i]) ||
                           (kinds[i] == RoleKind::other &&
                            (position < last_position || meets_residual(flows, flows.linears()[i].node->output(0), i)));
    const int layer = of_attention[i] >= 0 ? of_attention[i] : layers.at(position);
    roles.push_back({kinds[i], is_inside ? layer : -1});
  }
  return roles;
}

}  // namespace terse
