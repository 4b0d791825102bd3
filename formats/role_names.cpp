#include <algorithm>
#include <array>

#include "formats/roles.h"

namespace terse {
namespace {

constexpr std::array<std::string_view, 18> kNames = {
    "embedding",  "position", "q",       "k",     "v",      "qkv",  "attention_output",
    "gate",       "up",       "gate_up", "down",  "router", "head", "pooler",
    "classifier", "norm",     "bias",    "other",
};
static_assert(kNames.size() == static_cast<size_t>(RoleKind::other) + 1);

}  // namespace

std::string_view name(RoleKind kind) { return kNames.at(static_cast<size_t>(kind)); }

std::optional<RoleKind> find_role_kind(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? std::nullopt : std::optional(static_cast<RoleKind>(found - kNames.begin()));
}

}  // namespace terse
