#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "formats/safetensors/compressed_tensors.h"

// Modules are named to readers by patterns ("re:...", matched from a name's first letter) that leave out what stands
// in front of the layers' number: the same file is loaded with and without a head, under "model.layers" or "layers".
// The class "Linear" stands for all of them only if the file names every Linear module of the model, which it does not
// if the head is the table.

namespace terse::safetensors {
namespace {

using Json = nlohmann::ordered_json;
using Names = std::vector<std::string>;

std::string module_of(const std::string& tensor) { return tensor.substr(0, tensor.size() - kWeight.size()); }

Names split(const std::string& name) {
  Names parts;
  size_t begin = 0;
  for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', begin)) {
    parts.push_back(name.substr(begin, dot - begin));
    begin = dot + 1;
  }
  parts.push_back(name.substr(begin));
  return parts;
}

bool is_number(const std::string& part) {
  return !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
}

std::string join(const Names& parts, size_t first) {
  std::string name;
  for (size_t i = first; i < parts.size(); ++i) {
    name += (name.empty() ? "" : ".") + parts[i];
  }
  return name;
}

/// What a module is called in every layer: "self_attn.q_proj"; outside of layers its last two words.
std::string kind_of(const std::string& module) {
  const Names parts = split(module);
  size_t first = parts.size() - std::min<size_t>(parts.size(), 2);
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    first = is_number(parts[i]) ? i + 1 : first;
  }
  return join(parts, first);
}

/// The same with its layer: "layers.3.self_attn.q_proj".
std::string place_of(const std::string& module) {
  const Names parts = split(module);
  const auto number = std::ranges::find_if(parts, is_number);
  if (number == parts.end() || number == parts.begin()) {
    return kind_of(module);
  }
  return join(parts, static_cast<size_t>(number - parts.begin() - 1));
}

std::string pattern(const std::string& words) {
  std::string escaped;
  for (const char c : words) {
    escaped += std::string_view(".+*?()[]{}|^$\\").find(c) == std::string_view::npos ? "" : "\\";
    escaped += c;
  }
  return "re:(.*\\.)?" + escaped + "$";
}

/// Modules by scheme; those without codes under none.
struct Modules {
  std::map<Scheme, Names> groups;
  std::map<std::string, std::set<const Scheme*>, std::less<>> schemes_of_kind;  ///< null: no codes
  Names dense;
  bool has_tied_head = false;
};

bool has_role(const Value& value, std::initializer_list<RoleKind> kinds) {
  return std::ranges::any_of(value.roles,
                             [&](const Role& role) { return std::ranges::find(kinds, role.kind) != kinds.end(); });
}

Modules sort(const Graph& graph, std::span<const ValueId> packed, std::span<const ValueId> dense) {
  using enum RoleKind;
  Modules modules;
  for (const ValueId id : packed) {
    const std::string module = module_of(graph.value(id).name);
    const auto group = modules.groups.try_emplace(scheme_of(*graph.value(id).constant)).first;
    group->second.push_back(module);
    modules.schemes_of_kind[kind_of(module)].insert(&group->first);
  }
  for (const ValueId id : dense) {
    const Value& value = graph.value(id);
    if (has_role(value, {embedding, position})) {
      modules.has_tied_head |= has_role(value, {head});
    } else if (value.constant->shape.size() == 2 && value.name.ends_with(kWeight)) {
      modules.dense.push_back(module_of(value.name));
      modules.schemes_of_kind[kind_of(modules.dense.back())].insert(nullptr);
    }
  }
  return modules;
}

/// Patterns for a group's modules: one for all layers where these agree.
Json targets(const Modules& modules, const Names& group) {
  if (modules.groups.size() == 1 && !modules.has_tied_head) {
    return Json::array({"Linear"});
  }
  Json list = Json::array();
  std::set<std::string> seen;
  for (const std::string& module : group) {
    const std::string kind = kind_of(module);
    const bool agree = modules.schemes_of_kind.at(kind).size() == 1;
    if (const std::string target = pattern(agree ? kind : place_of(module)); seen.insert(target).second) {
      list.push_back(target);
    }
  }
  return list;
}

Json weights_json(const Scheme& scheme) {
  Json json = {{"num_bits", scheme.bits}, {"type", "int"}, {"symmetric", scheme.symmetric}};
  json["strategy"] = scheme.group_columns == 0 ? "channel" : "group";
  if (scheme.group_columns != 0) {
    json["group_size"] = scheme.group_columns;
  }
  json["dynamic"] = false;
  return json;
}

/// Whether transformers (5.23, with compressed-tensors 0.20) must be told to dequantize at once. It does so at the
/// first forward else, which fails in inference mode, in which sentence-transformers encodes; and it cannot load zero
/// points.
bool needs_dequantizing(const Checkpoint& checkpoint, const Modules& modules) {
  const bool is_sentence_model =
      !checkpoint.folder.empty() && std::filesystem::exists(checkpoint.folder / "modules.json");
  return is_sentence_model ||
         std::ranges::any_of(modules.groups, [](const auto& group) { return !group.first.symmetric; });
}

}  // namespace

std::string quantization_config(const Model& model, std::span<const ValueId> packed, std::span<const ValueId> dense) {
  const Modules modules = sort(model.graph, packed, dense);
  Json groups = Json::object();
  for (const auto& [scheme, names] : modules.groups) {
    groups[fmt::format("group_{}", groups.size())] = {{"targets", targets(modules, names)},
                                                      {"weights", weights_json(scheme)},
                                                      {"input_activations", nullptr},
                                                      {"output_activations", nullptr}};
  }
  Json ignore = modules.dense;
  if (modules.has_tied_head) {
    ignore.push_back("lm_head");  // what causal models call it; the file has no tensor of it
  }
  Json config = {
      {"quant_method", "compressed-tensors"}, {"format", "pack-quantized"}, {"quantization_status", "compressed"}};
  config["config_groups"] = std::move(groups);
  config["ignore"] = std::move(ignore);
  config["kv_cache_scheme"] = nullptr;
  config["global_compression_ratio"] = nullptr;
  if (needs_dequantizing(*model.checkpoint, modules)) {
    config["dequantize"] = true;
  }
  return config.dump();
}

}  // namespace terse::safetensors
