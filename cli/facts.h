#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "formats/model.h"

namespace terse::cli {

/// One float initialiser as users see it.
struct WeightFact {
  std::string name;  ///< display name
  std::vector<Role> roles;
  Shape shape;
  std::string encoding;
  int64_t parameters = 0;
  int64_t bytes = 0;

  int layer() const { return roles.empty() ? -1 : roles.front().layer; }
};

/// A graph input or output: "input_ids", "i64", "[batch,seq]".
struct PortFact {
  std::string name, dtype, shape;
};

/// How many weights of one kind there are (an encoding, a role).
struct Tally {
  std::string name;
  int64_t weights = 0, parameters = 0, bytes = 0;
};

/// What can be said of a model without computing anything.
struct ModelFacts {
  std::string path, format, producer;
  int64_t ir_version = 0;
  std::vector<std::pair<std::string, int64_t>> opsets;
  int64_t file_bytes = 0;
  std::vector<PortFact> inputs, outputs;
  std::vector<WeightFact> weights;  ///< in graph order
  int64_t other_bytes = 0;          ///< integer constants and the like
  std::vector<std::pair<std::string, std::string>> metadata;

  int64_t parameters() const;
  int64_t layers() const;
  /// In order of first appearance.
  std::vector<Tally> by_encoding() const;
  std::vector<Tally> by_role() const;
};

ModelFacts facts_of(const Model& model);

/// "q" or, of a tied weight, "embedding+head".
std::string role_names(const std::vector<Role>& roles);

nlohmann::ordered_json to_json(const ModelFacts& facts);
nlohmann::ordered_json to_json(const std::vector<Tally>& tallies);
nlohmann::ordered_json role_names_json(const std::vector<Role>& roles);

}  // namespace terse::cli
