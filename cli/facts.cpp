#include "cli/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace terse::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string shape_text(const std::optional<std::vector<Dimension>>& shape) {
  if (!shape) {
    return "?";
  }
  std::vector<std::string> dimensions;
  for (const Dimension& dimension : *shape) {
    const std::string unknown = dimension.symbol.empty() ? "?" : dimension.symbol;
    dimensions.push_back(dimension.size >= 0 ? std::to_string(dimension.size) : unknown);
  }
  return fmt::format("[{}]", fmt::join(dimensions, ","));
}

std::vector<PortFact> ports(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<PortFact> facts;
  for (const ValueId id : ids) {
    const Value& value = graph.value(id);
    if (value.constant != nullptr) {
      continue;  // old files list their initialisers as inputs too
    }
    const ValueType type = value.type.value_or(ValueType{});
    facts.push_back({value.name, std::string(name(type.dtype)), shape_text(type.shape)});
  }
  return facts;
}

/// Encoded weights mean floats; dense ones are what they hold.
bool is_weight(const Encoding& encoding) { return encoding.dense() == nullptr || is_float(encoding.dense()->dtype); }

WeightFact weight_fact(const Value& value) {
  const Encoding& encoding = *value.constant;
  return {.name = value.display_name.empty() ? value.name : value.display_name,
          .roles = value.roles,
          .shape = encoding.shape,
          .encoding = describe(encoding),
          .parameters = encoding.rows() * encoding.columns(),
          .bytes = stored_bytes(encoding)};
}

template <typename Key>
std::vector<Tally> tally(const std::vector<WeightFact>& weights, const Key& key) {
  std::vector<Tally> tallies;
  for (const WeightFact& weight : weights) {
    const std::string name = key(weight);
    auto found = std::find_if(tallies.begin(), tallies.end(), [&](const Tally& t) { return t.name == name; });
    if (found == tallies.end()) {
      found = tallies.insert(tallies.end(), Tally{.name = name});
    }
    ++found->weights;
    found->parameters += weight.parameters;
    found->bytes += weight.bytes;
  }
  return tallies;
}

Json to_json(const std::vector<PortFact>& ports) {
  Json array = Json::array();
  for (const PortFact& port : ports) {
    array.push_back({{"name", port.name}, {"dtype", port.dtype}, {"shape", port.shape}});
  }
  return array;
}

Json to_json(const WeightFact& weight) {
  return {{"name", weight.name},         {"roles", role_names_json(weight.roles)},
          {"layer", weight.layer()},     {"shape", weight.shape},
          {"encoding", weight.encoding}, {"parameters", weight.parameters},
          {"bytes", weight.bytes}};
}

}  // namespace

int64_t ModelFacts::parameters() const {
  int64_t sum = 0;
  for (const WeightFact& weight : weights) {
    sum += weight.parameters;
  }
  return sum;
}

int64_t ModelFacts::layers() const {
  int last = -1;
  for (const WeightFact& weight : weights) {
    for (const Role& role : weight.roles) {
      last = std::max(last, role.layer);
    }
  }
  return last + 1;
}

std::vector<Tally> ModelFacts::by_encoding() const {
  return tally(weights, [](const WeightFact& weight) { return weight.encoding; });
}

std::vector<Tally> ModelFacts::by_role() const {
  return tally(weights, [](const WeightFact& weight) { return role_names(weight.roles); });
}

ModelFacts facts_of(const Model& model) {
  ModelFacts facts{.path = model.path.string(), .format = std::string(model.format)};
  facts.producer = model.producer_name + (model.producer_version.empty() ? "" : " " + model.producer_version);
  facts.ir_version = model.ir_version;
  facts.opsets.assign(model.opsets.begin(), model.opsets.end());
  facts.file_bytes = model.file_bytes;
  facts.inputs = ports(model.graph, model.graph.main.inputs);
  facts.outputs = ports(model.graph, model.graph.main.outputs);
  facts.metadata = model.metadata;
  for (const Value& value : model.graph.values) {
    if (value.constant == nullptr) {
      continue;
    }
    if (is_weight(*value.constant)) {
      facts.weights.push_back(weight_fact(value));
    } else {
      facts.other_bytes += stored_bytes(*value.constant);
    }
  }
  return facts;
}

std::string role_names(const std::vector<Role>& roles) {
  std::vector<std::string_view> names;
  for (const Role& role : roles) {
    if (std::find(names.begin(), names.end(), name(role.kind)) == names.end()) {
      names.push_back(name(role.kind));
    }
  }
  return names.empty() ? "other" : fmt::format("{}", fmt::join(names, "+"));
}

Json role_names_json(const std::vector<Role>& roles) {
  Json array = Json::array();
  for (const Role& role : roles) {
    Json entry = {{"kind", name(role.kind)}};
    if (role.layer >= 0) {
      entry["layer"] = role.layer;
    }
    if (role.expert >= 0) {
      entry["expert"] = role.expert;
    }
    array.push_back(std::move(entry));
  }
  return array;
}

Json to_json(const std::vector<Tally>& tallies) {
  Json array = Json::array();
  for (const Tally& t : tallies) {
    array.push_back({{"name", t.name}, {"weights", t.weights}, {"parameters", t.parameters}, {"bytes", t.bytes}});
  }
  return array;
}

Json to_json(const ModelFacts& facts) {
  Json json = {{"path", facts.path}, {"format", facts.format}, {"bytes", facts.file_bytes}};
  json["producer"] = facts.producer;
  json["ir_version"] = facts.ir_version;
  for (const auto& [domain, version] : facts.opsets) {
    json["opsets"][domain.empty() ? "ai.onnx" : domain] = version;
  }
  json["inputs"] = to_json(facts.inputs);
  json["outputs"] = to_json(facts.outputs);
  json["parameters"] = facts.parameters();
  json["layers"] = facts.layers();
  json["encodings"] = to_json(facts.by_encoding());
  json["roles"] = to_json(facts.by_role());
  json["other_bytes"] = facts.other_bytes;
  for (const auto& [key, value] : facts.metadata) {
    json["metadata"][key] = value;
  }
  Json weights = Json::array();
  for (const WeightFact& weight : facts.weights) {
    weights.push_back(to_json(weight));
  }
  json["weights"] = std::move(weights);
  return json;
}

}  // namespace terse::cli
