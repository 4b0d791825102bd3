#include "passes/search/search_space.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "formats/error.h"
#include "passes/projection.h"
#include "passes/selection.h"
#include "passes/text.h"

namespace terse::passes {
namespace {

using Ids = std::vector<ValueId>;

bool contains(const Ids& ids, ValueId id) { return std::ranges::find(ids, id) != ids.end(); }

Ids selected_by(const Graph& graph, const PassCall& call) {
  const PassRow& row = get_pass(call);
  return with_context(call.name, [&] { return select(graph, Arguments(row, call), row.selects); });
}

std::unique_ptr<Projection> projection_of(const PassCall& call) {
  const PassRow& row = get_pass(call);
  return row.project == nullptr ? nullptr : row.project(Arguments(row, call));
}

/// The calls of one part, with what they select.
struct Selected {
  const PassCall* call;
  Ids weights;
};

std::vector<Selected> selected_by_part(const Graph& graph, const Pipeline& pipeline, Projection::Part part) {
  std::vector<Selected> found;
  for (const PassCall& call : pipeline.calls) {
    const auto projection = projection_of(call);
    if (projection != nullptr && projection->part() == part) {
      found.push_back({&call, selected_by(graph, call)});
    }
  }
  return found;
}

bool is_dense(const Graph& graph, ValueId id) { return graph.value(id).constant->dense() != nullptr; }

/// Of the weights that passes give codes, those that `quantize` decides on. It leaves codes that are there alone,
/// unless it is told not to.
Ids quantized(const Graph& graph, const std::vector<Selected>& passes) {
  std::map<ValueId, bool> is_quantized;
  for (const Selected& pass : passes) {
    for (const ValueId id : pass.weights) {
      is_quantized[id] = pass.call->name == "quantize" &&
                         (is_dense(graph, id) || pass.call->find("requantize").value_or("no") == "yes");
    }
  }
  Ids ids;
  for (const auto& [id, is_free] : is_quantized) {
    if (is_free) {
      ids.push_back(id);
    }
  }
  return ids;
}

/// Which weights share an encoding: those with equal keys.
using GroupKey = std::tuple<int, int, int64_t, ValueId>;

int fused_part(RoleKind kind) {
  constexpr int kAttention = 1000, kFeedForward = 1001;  // beyond the kinds
  switch (kind) {
    case RoleKind::q:
    case RoleKind::k:
    case RoleKind::v:
      return kAttention;
    case RoleKind::gate:
    case RoleKind::up:
      return kFeedForward;
    default:
      return static_cast<int>(kind);
  }
}

GroupKey key_of(const Value& value, ValueId id, Alike alike) {
  const bool is_fused = alike == Alike::fused_products;
  const bool is_layers = value.roles.size() == 1 && value.roles[0].layer >= 0;
  if (!is_layers || (value.roles[0].expert < 0 && !is_fused)) {
    return {0, -1, 0, id};
  }
  const Role& role = value.roles[0];
  const int part = is_fused ? fused_part(role.kind) : static_cast<int>(role.kind);
  const bool has_partners = role.expert >= 0 || part != static_cast<int>(role.kind);
  return {part, role.layer, value.constant->columns(), has_partners ? kNoValue : id};
}

std::string words_for(const Graph& graph, const Ids& weights) {
  std::string words;
  for (const ValueId id : weights) {
    words += (words.empty() ? "" : "+") + word_for(shown_name(graph.value(id)));
  }
  return words;
}

std::vector<EncodingLine> keep_lines(const Graph& graph, const Ids& weights) {
  return {{.number = 1, .weights = words_for(graph, weights), .call = std::nullopt}};
}

/// The model as the passes beside the search leave it, and where its weights lie.
class Space {
 public:
  Space(const Model& original, const Pipeline& pipeline, const Ids& free_weights, const SearchTargetRow& target,
        const PlanFiles& plan_files)
      : original_(original), base_(original), target_(target), plan_files_(plan_files) {
    base_.graph = deep_copy(original.graph);
    Pipeline without = pipeline;
    add_encodings(keep_lines(original.graph, free_weights), original.graph, without);
    run_pipeline(without, base_, {.plan_only = true});
    for (size_t i = 0; i < base_.graph.values.size(); ++i) {
      base_ids_.emplace(base_.graph.values[i].name, static_cast<ValueId>(i));
    }
    has_codes_ = std::ranges::any_of(free_weights, [&](ValueId id) { return !is_dense(original.graph, id); });
    for (const Selected& mask : selected_by_part(original.graph, pipeline, Projection::Part::mask)) {
      masked_.insert(mask.weights.begin(), mask.weights.end());
    }
  }

  SearchSpace make(const Ids& free_weights) {
    SearchSpace space;
    std::map<GroupKey, size_t> index;
    for (const ValueId id : free_weights) {
      const auto [found, is_new] =
          index.emplace(key_of(original_.graph.value(id), id, target_.alike), space.groups.size());
      if (is_new) {
        space.groups.emplace_back();
      }
      space.groups[found->second].weights.push_back(id);
    }
    const Layout layout = plan_files_(base_);
    base_total_ = layout.total_bytes();
    base_bytes_ = bytes_of(layout);
    space.fixed_bytes = base_total_;
    for (const WeightGroup& group : space.groups) {
      space.fixed_bytes -= total(base_bytes_, group);
    }
    taken_.resize(space.groups.size());
    for (const std::string_view encoding : split(target_.encodings, ' ')) {
      add_option(encoding, space);
    }
    return space;
  }

 private:
  ValueId id_in_base(ValueId id) const { return base_ids_.at(original_.graph.value(id).name); }

  static std::map<ValueId, int64_t> bytes_of(const Layout& layout) {
    std::map<ValueId, int64_t> bytes;
    for (const Layout::Entry& entry : layout.entries) {
      bytes[entry.value] += entry.bytes;
    }
    return bytes;
  }

  int64_t total(const std::map<ValueId, int64_t>& bytes, const WeightGroup& group) const {
    int64_t sum = 0;
    for (const ValueId id : group.weights) {
      const auto found = bytes.find(id_in_base(id));
      sum += found == bytes.end() ? 0 : found->second;
    }
    return sum;
  }

  /// The base with all matrices in one encoding, as far as they can have it.
  Model encoded(const std::optional<PassCall>& call) const {
    Model model = base_;
    model.graph = deep_copy(base_.graph);
    if (call) {
      run_pipeline(parse_recipe(to_string(*call) + ",only=matrices"), model, {.plan_only = true});
    }
    return model;
  }

  void add_option(std::string_view encoding, SearchSpace& space) {
    std::optional<PassCall> call = parse_encoding(encoding);
    if (call && has_codes_ && find_option(get_pass(call->name), "requantize") != nullptr) {
      call = parse_pass(to_string(*call) + ",requantize=yes");
    }
    const Model all = encoded(call);
    std::vector<size_t> groups;
    for (size_t i = 0; i < space.groups.size(); ++i) {
      if (is_new(all, space.groups[i], call, taken_[i])) {
        groups.push_back(i);
      }
    }
    add_held(call, all, groups, space);
  }

  /// Whether every weight of the group may have this, and has not had it under another name.
  bool is_new(const Model& all, const WeightGroup& group, const std::optional<PassCall>& call,
              std::set<std::string>& taken) const {
    std::string description;
    for (const ValueId id : group.weights) {
      const Encoding& encoding = *all.graph.value(id_in_base(id)).constant;
      const bool drops_zeros = call && masked_.contains(id) &&
                               !projection_of(*call)->encode(*original_.graph.value(id).constant)->holds_zero();
      if (drops_zeros) {
        return false;
      }
      description += describe(encoding) + ";";
    }
    return taken.insert(description).second;
  }

  /// Adds the option to those of the groups for which the target can hold it: all, or else each half.
  void add_held(const std::optional<PassCall>& call, const Model& all, std::span<const size_t> groups,
                SearchSpace& space) {
    if (groups.empty()) {
      return;
    }
    try {
      const Layout layout = plan_files_(with(all, groups, space));
      const auto bytes = bytes_of(layout);
      int64_t rest = layout.total_bytes() - base_total_;  // headers, padding, the runtime's own nodes
      for (const size_t i : groups) {
        rest -= total(bytes, space.groups[i]) - total(base_bytes_, space.groups[i]);
      }
      for (const size_t i : groups) {
        space.groups[i].options.push_back(
            {.call = call, .bytes = total(bytes, space.groups[i]) + rest / std::ssize(groups)});
      }
    } catch (const Error& error) {
      if (error.kind() != Kind::unsupported) {
        throw;
      }
      if (groups.size() > 1) {
        add_held(call, all, groups.first(groups.size() / 2), space);
        add_held(call, all, groups.subspan(groups.size() / 2), space);
      }
    }
  }

  /// The base with those groups' weights as `all` has them.
  Model with(const Model& all, std::span<const size_t> groups, const SearchSpace& space) const {
    Model model = base_;
    model.graph = deep_copy(base_.graph);
    for (const size_t i : groups) {
      for (const ValueId id : space.groups[i].weights) {
        const auto place = static_cast<size_t>(id_in_base(id));
        model.graph.values[place] = all.graph.values[place];
      }
    }
    return model;
  }

  const Model& original_;
  Model base_;
  const SearchTargetRow& target_;
  const PlanFiles& plan_files_;
  std::map<std::string, ValueId, std::less<>> base_ids_;
  bool has_codes_ = false;  ///< some weights that are to get others
  std::set<ValueId> masked_;
  int64_t base_total_ = 0;
  std::map<ValueId, int64_t> base_bytes_;
  std::vector<std::set<std::string>> taken_;  ///< by group: what its options come to
};

}  // namespace

std::vector<ValueId> find_free_weights(const Graph& graph, const Pipeline& pipeline,
                                       const std::vector<EncodingLine>& fixed, const SearchTargetRow& target) {
  const auto passes = selected_by_part(graph, pipeline, Projection::Part::codes);
  Ids ids;
  if (passes.empty()) {
    ids = find_weights(graph, target.weights);
    std::erase_if(ids, [&](ValueId id) { return !is_dense(graph, id); });
  } else {
    ids = quantized(graph, passes);
  }
  for (const EncodingLine& line : fixed) {
    const Ids named =
        with_context(fmt::format("line {}", line.number), [&] { return find_weights(graph, line.weights); });
    std::erase_if(ids, [&](ValueId id) { return contains(named, id); });
  }
  return ids;
}

SearchSpace make_search_space(const Model& original, const Pipeline& pipeline, const std::vector<ValueId>& free_weights,
                              const SearchTargetRow& target, const PlanFiles& plan_files) {
  return Space(original, pipeline, free_weights, target, plan_files).make(free_weights);
}

std::vector<EncodingLine> encoding_lines(const Graph& graph, const SearchSpace& space,
                                         const std::vector<size_t>& options) {
  std::vector<EncodingLine> lines;
  std::map<std::string, size_t> line_of;
  for (size_t i = 0; i < space.groups.size(); ++i) {
    const EncodingOption& option = space.groups[i].options[options[i]];
    const std::string encoding = option.call ? to_string(*option.call) : "keep";
    const auto [found, is_new] = line_of.emplace(encoding, lines.size());
    if (is_new) {
      lines.push_back({.number = static_cast<int>(lines.size()) + 1, .weights = "", .call = option.call});
    }
    std::string& words = lines[found->second].weights;
    words += (words.empty() ? "" : "+") + words_for(graph, space.groups[i].weights);
  }
  return lines;
}

}  // namespace terse::passes
