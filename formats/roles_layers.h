#pragma once

#include <vector>

#include "formats/roles.h"
#include "formats/roles_attention.h"

namespace terse {

/// Layers as stretches of the order of computation: each begins where the input of its self attention does and ends
/// where the next begins. What follows the last one (the final norm, poolers, heads) is in none.
class Layers {
 public:
  explicit Layers(const std::vector<Attention>& attentions);

  /// The layer in whose stretch a node stands; -1: before the first.
  int at(int position) const;
  /// The layer of an attention, by its index.
  int of_attention(size_t index) const { return of_attention_[index]; }
  /// True if the layer's norms stand before its linears.
  bool is_pre_norm(int layer) const { return stretches_[static_cast<size_t>(layer)].has_own_norm; }
  int count() const { return static_cast<int>(stretches_.size()); }

 private:
  struct Stretch {
    int first_position = 0;
    bool has_own_norm = false;
  };
  std::vector<Stretch> stretches_;
  std::vector<int> of_attention_;
};

/// True if the value, scaled or normalised at most, is added to something that is not made by `maker` alone.
bool meets_residual(const Flows& flows, ValueId from, std::optional<size_t> maker);

/// The kinds of linears with their layers.
std::vector<Role> add_layers(const Flows& flows, const std::vector<Attention>& attentions,
                             const std::vector<RoleKind>& kinds);

}  // namespace terse
