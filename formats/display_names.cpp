#include "formats/display_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "formats/value_names.h"

namespace terse {
namespace {

bool is_added(const Value& value) {
  return !value.roles.empty() && std::all_of(value.roles.begin(), value.roles.end(),
                                             [](const Role& role) { return role.kind == RoleKind::bias; });
}

/// The module that a value with a made-up name belongs to; empty if the value keeps its name.
std::string module_of(const Value& value, const Node* reader) {
  return is_made_up(value.name) && reader != nullptr ? scope_of(*reader) : "";
}

bool is_shown(const Value& value) { return value.constant != nullptr && !value.roles.empty(); }

class Names {
 public:
  Names(const Graph& graph, const std::vector<const Node*>& reader_of) : graph_(graph) {
    for (size_t id = 0; id < graph.values.size(); ++id) {
      const Value& value = graph.values[id];
      modules_.push_back(is_shown(value) ? module_of(value, reader_of[id]) : "");
      if (is_shown(value) && modules_[id].empty()) {
        taken_.insert(value.name);
      } else if (!modules_[id].empty() && !is_added(value)) {
        ++weights_[modules_[id]];
      }
    }
  }

  std::string choose(size_t id) {
    const Value& value = graph_.values[id];
    const std::string& module = modules_[id];
    if (module.empty()) {
      return value.name;
    }
    // Several weights of one module, as experts are, are told apart by what they do.
    const bool is_shared = !is_added(value) && weights_[module] > 1;
    const std::string kind = is_shared ? fmt::format(".{}", name(value.roles.front().kind)) : "";
    const std::string wanted = fmt::format("{}{}.{}", module, kind, is_added(value) ? "bias" : "weight");
    std::string unique = wanted;
    for (int suffix = 2; !taken_.insert(unique).second; ++suffix) {
      unique = fmt::format("{}_{}", wanted, suffix);
    }
    return unique;
  }

 private:
  const Graph& graph_;
  std::vector<std::string> modules_;
  std::unordered_map<std::string, int> weights_;
  std::unordered_set<std::string> taken_;
};

}  // namespace

void assign_display_names(Graph& graph, const std::vector<const Node*>& reader_of) {
  Names names(graph, reader_of);
  for (size_t id = 0; id < graph.values.size(); ++id) {
    if (is_shown(graph.values[id])) {
      graph.values[id].display_name = names.choose(id);
    }
  }
}

}  // namespace terse
