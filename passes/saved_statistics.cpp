#include "passes/saved_statistics.h"

#include <algorithm>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/family.h"
#include "formats/gguf/imatrix_writer.h"
#include "passes/selection.h"

namespace terse::passes {
namespace {

/// -1: no expert's.
int expert_of(const Value& value) {
  int expert = -1;
  for (const Role& role : value.roles) {
    expert = std::max(expert, role.expert);
  }
  return expert;
}

/// The old form lays the experts of an entry end to end, as one matrix.
gguf::ColumnSums split_experts(const gguf::ColumnSums& sums, int64_t columns) {
  if (sums.matrices() > 1 || sums.columns() % columns != 0) {
    return sums;
  }
  return {.squares = sums.squares,
          .counts = std::vector<int64_t>(static_cast<size_t>(sums.columns() / columns), sums.counts.front())};
}

/// Empty if the weight's inputs were never seen.
std::vector<float> means_of(const Value& value, const gguf::ColumnSums& entry, const StatisticsPlace& place) {
  const int64_t columns = value.constant->columns();
  const gguf::ColumnSums sums = place.is_expert ? split_experts(entry, columns) : entry;
  if (sums.columns() != columns) {
    throw Error(Kind::input, "has statistics of {} columns, expected {}: they are of another model", entry.columns(),
                columns);
  }
  if (place.matrix >= sums.matrices()) {
    throw Error(Kind::input, "has statistics of {} experts, and is expert {}", sums.matrices(), place.matrix);
  }
  return sums.means(place.matrix);
}

/// A name that fits into a file: a long one's end says more than its beginning.
std::string entry_name(const std::string& name) {
  constexpr size_t kHashBytes = 17;
  if (name.size() <= gguf::kMostEntryNameBytes) {
    return name;
  }
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return fmt::format("{:016x}~{}", hash, name.substr(name.size() - (gguf::kMostEntryNameBytes - kHashBytes)));
}

std::map<std::string, std::string> display_names(const Graph& graph) {
  std::map<std::string, int, std::less<>> shared;
  for (const ValueId id : matrices(graph)) {
    ++shared[std::string(shown_name(graph.value(id)))];
  }
  std::map<std::string, std::string> names;
  for (const ValueId id : matrices(graph)) {
    const Value& value = graph.value(id);
    const std::string shown(shown_name(value));
    names.emplace(value.name, entry_name(shared.at(shown) > 1 ? value.name : shown));
  }
  return names;
}

SavedInputs inputs_of(const Value& value, const gguf::Imatrix& matrix, const StatisticsPlace& place) {
  const gguf::ColumnSums& entry = matrix.entries.find(place.entry)->second;
  SavedInputs inputs{.means = means_of(value, entry, place), .products = {}};
  const auto products = matrix.products.find(gguf::matrix_name(place.entry, place.matrix, entry.matrices()));
  if (products != matrix.products.end()) {
    inputs.products = products->second;
  }
  return inputs;
}

/// The weights that a value is or is to become: the matrices of a stack, by the names that split-experts gives them.
std::vector<std::string> weights_of(const Value& value) {
  if (value.constant->shape.size() != 3) {
    return value.constant->shape.size() == 2 ? std::vector{value.name} : std::vector<std::string>();
  }
  std::vector<std::string> names;
  for (int64_t i = 0; i < value.constant->shape[0]; ++i) {
    names.push_back(fmt::format("{}.{}", value.name, i));
  }
  return names;
}

}  // namespace

SavedStatistics saved_statistics(const gguf::Imatrix& matrix, const std::map<std::string, std::string>& names,
                                 const Graph& graph) {
  const StatisticsPlaces places = statistics_places(graph, names);
  SavedStatistics statistics;
  std::string example;
  bool any = false;
  for (const ValueId id : matrices(graph)) {
    const Value& value = graph.value(id);
    const auto name = names.find(value.name);
    example = name == names.end() ? example : name->second;
    for (const std::string& weight : weights_of(value)) {
      const auto place = places.find(weight);
      if (place == places.end() || !matrix.entries.contains(place->second.entry)) {
        continue;
      }
      any = true;
      SavedInputs inputs = with_context(fmt::format("weight '{}'", shown_name(value)),
                                        [&] { return inputs_of(value, matrix, place->second); });
      if (!inputs.means.empty() || inputs.products) {
        statistics.emplace(weight, std::move(inputs));
      }
    }
  }
  if (!any) {
    throw Error(Kind::input, "names none of the model's weights: an entry is '{}', a weight '{}'",
                matrix.entries.empty() ? "" : matrix.entries.begin()->first, example);
  }
  return statistics;
}

StatisticsPlaces statistics_places(const Graph& graph, const std::map<std::string, std::string>& names) {
  std::map<std::string, int64_t> weights;
  for (const auto& [weight, entry] : names) {
    ++weights[entry];
  }
  StatisticsPlaces places;
  for (const ValueId id : matrices(graph)) {
    const Value& value = graph.value(id);
    const auto name = names.find(value.name);
    if (name == names.end()) {
      continue;
    }
    const std::vector<std::string> parts = weights_of(value);
    const bool is_stack = value.constant->shape.size() == 3;
    for (size_t i = 0; i < parts.size(); ++i) {
      const bool is_expert = is_stack || (weights.at(name->second) > 1 && expert_of(value) >= 0);
      const int64_t matrix = is_stack ? static_cast<int64_t>(i) : is_expert ? expert_of(value) : 0;
      places[parts[i]] = {.entry = name->second, .matrix = matrix, .is_expert = is_expert};
    }
  }
  return places;
}

std::map<std::string, std::string> statistics_names(const Model& model) {
  if (model.checkpoint != nullptr) {
    if (auto names = gguf::tensor_names(*model.checkpoint); !names.empty()) {
      return names;
    }
  }
  return display_names(model.graph);
}

SavedStatistics read_statistics(std::span<const std::filesystem::path> paths, const Model& model) {
  const std::map<std::string, std::string> names = statistics_names(model);
  const gguf::Imatrix matrix = gguf::read_imatrices(paths);
  std::string files;
  for (const std::filesystem::path& path : paths) {
    files += (files.empty() ? "" : ", ") + path.string();
  }
  return with_context(files, [&] { return saved_statistics(matrix, names, model.graph); });
}

calibration::Statistics to_statistics(const gguf::Products& products) {
  std::vector<std::span<const float>> solving, held_out;
  int64_t solving_rows = 0, held_out_rows = 0;
  for (const gguf::Products::Part& part : products.parts) {
    solving.push_back(part.solving());
    held_out.push_back(part.held_out());
    solving_rows += part.solving_rows;
    held_out_rows += part.held_out_rows;
  }
  const int64_t columns = products.columns;
  calibration::Statistics statistics{.solving = calibration::Gram::of_upper(columns, solving_rows, solving),
                                     .held_out = calibration::Gram::of_upper(columns, held_out_rows, held_out)};
  for (const gguf::Products::Part& part : products.parts) {
    release_pages(part.triangles.bytes());
  }
  return statistics;
}

}  // namespace terse::passes
