#include "passes/selection.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "formats/error.h"
#include "passes/text.h"

namespace terse::passes {
namespace {

/// What a matrix is read by.
struct Uses {
  bool multiplied = false;  ///< by MatMul or Gemm, as either operand
  bool looked_up = false;   ///< its rows, by Gather
};

/// Of a stack of matrices [E, out, in] a Gather picks experts, not rows.
bool has_rows_to_look_up(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.is_constant(id) && graph.value(id).constant->shape.size() <= 2;
}

std::vector<Uses> find_uses(const Graph& graph) {
  std::vector<Uses> uses(graph.values.size());
  for_each_node(graph.main, [&](const Node& node) {
    if (node.is("MatMul") || node.is("Gemm")) {
      for (const size_t operand : {size_t{0}, size_t{1}}) {
        if (node.input(operand) != kNoValue) {
          uses[static_cast<size_t>(node.input(operand))].multiplied = true;
        }
      }
    } else if (node.is("Gather") && has_rows_to_look_up(graph, node.input(0))) {
      uses[static_cast<size_t>(node.input(0))].looked_up = true;
    }
  });
  return uses;
}

bool has_role(const Value& value, std::initializer_list<RoleKind> kinds) {
  return std::any_of(value.roles.begin(), value.roles.end(),
                     [&](const Role& role) { return std::find(kinds.begin(), kinds.end(), role.kind) != kinds.end(); });
}

bool is_linear(const Value& value, Uses uses) {
  using enum RoleKind;
  if (uses.looked_up || has_role(value, {embedding, position, router, head, norm, bias})) {
    return false;
  }
  // Experts in one tensor are read by operators of their own.
  return uses.multiplied ||
         has_role(value, {q, k, v, qkv, attention_output, gate, up, gate_up, down, pooler, classifier});
}

bool is_table(const Value& value, Uses uses) { return uses.looked_up || has_role(value, {RoleKind::head}); }

/// Tables of token types have a few rows, and no vocabulary has as few.
bool is_vocabulary(const Value& value, Uses uses) {
  constexpr int64_t kMostTokenTypes = 16;
  const bool is_tokens = uses.looked_up && has_role(value, {RoleKind::embedding});
  return has_role(value, {RoleKind::head}) || (is_tokens && value.constant->rows() > kMostTokenTypes);
}

bool makes_values(const Value& value, Uses /*uses*/) { return has_role(value, {RoleKind::v}); }

bool is_delicate(const Value& value, Uses /*uses*/) {
  return has_role(value, {RoleKind::v, RoleKind::qkv, RoleKind::down});
}

bool is_matrix(const Value& /*value*/, Uses /*uses*/) { return true; }

struct Group {
  GroupRow row;
  bool (*holds)(const Value& value, Uses uses) = nullptr;
};

constexpr std::array kGroups = {
    Group{{"linears", "matrices that are multiplied by, without router, head and tables"}, is_linear},
    Group{{"tables", "matrices whose rows are looked up, and the head"}, is_table},
    Group{{"vocabulary", "the tables of tokens and the head: of the tables all but positions and token types"},
          is_vocabulary},
    Group{{"delicate", "linears whose errors cost most: v, qkv and down"}, is_delicate},
    Group{{"values", "v; unlike the role's name it may stand for nothing"}, makes_values},
    Group{{"matrices", "all weights of two or more dimensions"}, is_matrix},
};

class Selector {
 public:
  explicit Selector(const Graph& graph) : graph_(graph), uses_(find_uses(graph)), matrices_(matrices(graph)) {}

  /// The matrices that one word stands for, "@0-3" behind it included.
  std::vector<ValueId> find(std::string_view word) const {
    const size_t at = word.rfind('@');
    if (at == std::string_view::npos || !accepts("<layers>", word.substr(at + 1))) {
      return find_plain(word);
    }
    const auto [first, last] = parse_range(word.substr(at + 1));
    std::vector<ValueId> found = find_plain(word.substr(0, at));
    std::erase_if(found, [&, low = first, high = last](ValueId id) { return !is_in_layer(id, low, high); });
    if (found.empty()) {
      throw Error(Kind::usage, "'{}' matches no weight in these layers, the model has layers up to {}", word,
                  last_layer());
    }
    return found;
  }

  /// The matrices that any word of a list stands for.
  std::vector<ValueId> find_any(std::string_view words) const {
    std::vector<ValueId> found;
    for (const std::string_view word : split(words, '+')) {
      const auto more = find(word);
      found.insert(found.end(), more.begin(), more.end());
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

  /// Those in one of the layers "0-3+30".
  std::vector<ValueId> in_layers(std::string_view list) const {
    std::vector<ValueId> found;
    for (const std::string_view range : split(list, '+')) {
      const auto [first, last] = parse_range(range);
      const auto more = filter([&, low = first, high = last](ValueId id) { return is_in_layer(id, low, high); });
      if (more.empty()) {
        throw Error(Kind::usage, "layers={} matches no weight, the model has layers up to {}", range, last_layer());
      }
      found.insert(found.end(), more.begin(), more.end());
    }
    return found;
  }

 private:
  std::vector<ValueId> find_plain(std::string_view word) const {
    for (const Group& group : kGroups) {
      if (group.row.name == word) {
        return filter([&](ValueId id) { return group.holds(graph_.value(id), uses_[static_cast<size_t>(id)]); });
      }
    }
    auto found = find_role_kind(word) ? by_role(*find_role_kind(word)) : by_name(word);
    if (found.empty()) {
      throw Error(Kind::usage, "'{}' matches no role, group or name of a weight of two or more dimensions{}", word,
                  suggestion(word, known_words()));
    }
    return found;
  }

  template <typename Condition>
  std::vector<ValueId> filter(Condition&& condition) const {
    std::vector<ValueId> found;
    std::copy_if(matrices_.begin(), matrices_.end(), std::back_inserter(found), condition);
    return found;
  }

  std::vector<ValueId> by_role(RoleKind kind) const {
    return filter([&](ValueId id) { return has_role(graph_.value(id), {kind}); });
  }

  std::vector<ValueId> by_name(std::string_view pattern) const {
    return filter([&](ValueId id) { return matches(pattern, shown_name(graph_.value(id))); });
  }

  /// Words that would have matched.
  std::vector<std::string_view> known_words() const {
    std::vector<std::string_view> words;
    words.reserve(kGroups.size() + matrices_.size());
    for (const Group& group : kGroups) {
      words.push_back(group.row.name);
    }
    for (const ValueId id : matrices_) {
      words.push_back(shown_name(graph_.value(id)));
      for (const Role& role : graph_.value(id).roles) {
        words.push_back(name(role.kind));
      }
    }
    return words;
  }

  static std::pair<int, int> parse_range(std::string_view range) {
    int first = 0, last = 0;
    const auto [end, error] = std::from_chars(range.data(), range.data() + range.size(), first);
    if (error != std::errc() || end == range.data() + range.size()) {
      return {first, first};
    }
    std::from_chars(end + 1, range.data() + range.size(), last);
    return {first, last};
  }

  bool is_in_layer(ValueId id, int first, int last) const {
    const auto& roles = graph_.value(id).roles;
    return std::any_of(roles.begin(), roles.end(),
                       [&](const Role& role) { return role.layer >= first && role.layer <= last; });
  }

  int last_layer() const {
    int last = -1;
    for (const ValueId id : matrices_) {
      for (const Role& role : graph_.value(id).roles) {
        last = std::max(last, role.layer);
      }
    }
    return last;
  }

  const Graph& graph_;
  std::vector<Uses> uses_;
  std::vector<ValueId> matrices_;
};

bool contains(const std::vector<ValueId>& ids, ValueId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

std::span<const GroupRow> groups() {
  static constexpr auto kRows = [] {
    std::array<GroupRow, kGroups.size()> rows;
    std::transform(kGroups.begin(), kGroups.end(), rows.begin(), [](const Group& group) { return group.row; });
    return rows;
  }();
  return kRows;
}

std::string_view shown_name(const Value& value) { return value.display_name.empty() ? value.name : value.display_name; }

std::vector<ValueId> matrices(const Graph& graph) {
  std::vector<ValueId> found;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const EncodingPtr& constant = graph.values[i].constant;
    if (constant != nullptr && constant->shape.size() >= 2 && is_float(compute_dtype(*constant))) {
      found.push_back(static_cast<ValueId>(i));
    }
  }
  return found;
}

std::vector<ValueId> find_weights(const Graph& graph, std::string_view words) {
  return Selector(graph).find_any(words);
}

std::vector<ValueId> select(const Graph& graph, const Arguments& arguments, std::string_view default_group) {
  const Selector selector(graph);
  const std::string_view only = arguments.text("only"), except = arguments.text("except"),
                         layers = arguments.text("layers");
  std::vector<ValueId> selected = selector.find_any(only.empty() ? default_group : only);
  if (!except.empty()) {
    const auto excluded = selector.find_any(except);
    std::erase_if(selected, [&](ValueId id) { return contains(excluded, id); });
  }
  if (!layers.empty()) {
    const auto included = selector.in_layers(layers);
    std::erase_if(selected, [&](ValueId id) { return !contains(included, id); });
  }
  return selected;
}

}  // namespace terse::passes
