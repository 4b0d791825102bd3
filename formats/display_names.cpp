#include "formats/display_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "formats/value_names.h"

namespace terse {
namespace {

bool is_added(const Value& value) {
  return !value.roles.empty() && std::all_of(value.roles.begin(), value.roles.end(),
                                             [](const Role& role) { return role.kind == RoleKind::bias; });
}

std::string wanted_name(const Value& value, const Node* reader) {
  if (!is_made_up(value.name) || reader == nullptr) {
    return value.name;
  }
  const std::string scope = scope_of(*reader);
  return scope.empty() ? value.name : scope + (is_added(value) ? ".bias" : ".weight");
}

}  // namespace

void assign_display_names(Graph& graph, const std::vector<const Node*>& reader_of) {
  std::unordered_set<std::string> taken;
  // Names that files give come first, so that they stay as they are.
  for (const bool is_given : {true, false}) {
    for (size_t id = 0; id < graph.values.size(); ++id) {
      Value& value = graph.values[id];
      if (value.constant == nullptr || value.roles.empty()) {
        continue;
      }
      const std::string wanted = wanted_name(value, reader_of[id]);
      if ((wanted == value.name) != is_given) {
        continue;
      }
      value.display_name = wanted;
      for (int suffix = 2; !taken.insert(value.display_name).second; ++suffix) {
        value.display_name = fmt::format("{}_{}", wanted, suffix);
      }
    }
  }
}

}  // namespace terse
