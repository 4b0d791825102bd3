#include "formats/shards.h"

#include <nlohmann/json.hpp>
#include <set>

#include "formats/companion_path.h"
#include "formats/error.h"
#include "formats/json_fields.h"

namespace terse {
namespace {

/// The names of the tensors in every shard.
using ShardMap = std::map<std::string, std::set<std::string, std::less<>>>;

ShardMap parse_index(const std::filesystem::path& index) {
  constexpr int kDepth = 8;  // two, and whatever the metadata hold
  const nlohmann::json document = parse_json_strictly(read_text(index), kDepth);
  const JsonField weights = JsonField(document, "").get("weight_map");
  if (weights.object_size() == 0) {
    throw Error(Kind::input, "weight_map is empty");
  }
  ShardMap shards;
  for (const auto& [name, shard] : weights.value().items()) {
    shards[JsonField(shard, fmt::format("weight_map.{}", name)).text()].insert(name);
  }
  return shards;
}

void check_names(const std::string& shard, const std::set<std::string, std::less<>>& names, const NamedTensors& found) {
  for (const std::string& name : names) {
    if (!found.tensors.contains(name)) {
      throw Error(Kind::input, "tensor '{}' is missing in shard '{}', where the index says it is", name, shard);
    }
  }
  for (const auto& [name, tensor] : found.tensors) {
    if (!names.contains(name)) {
      throw Error(Kind::input, "shard '{}' holds tensor '{}', which the index does not list there", shard, name);
    }
  }
}

void append(NamedTensors& all, NamedTensors&& shard) {
  if (all.files.empty()) {
    all.metadata = std::move(shard.metadata);
  }
  all.tensors.merge(shard.tensors);
  all.files.insert(all.files.end(), shard.files.begin(), shard.files.end());
  all.file_bytes += shard.file_bytes;
}

}  // namespace

NamedTensors read_shards(const std::filesystem::path& index, NamedTensors (*read)(const std::filesystem::path& shard)) {
  return with_context(index.string(), [&] {
    NamedTensors all;
    for (const auto& [shard, names] : parse_index(index)) {
      NamedTensors part = read(companion_path(index, shard, "shard"));
      check_names(shard, names, part);
      append(all, std::move(part));
    }
    return all;
  });
}

}  // namespace terse
