#include "passes/column_statistics.h"

#include <algorithm>

#include "calibration/measured_layers.h"
#include "formats/error.h"
#include "formats/gguf/family.h"
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
std::vector<float> means_of(const Value& value, const gguf::ColumnSums& entry) {
  const int64_t columns = value.constant->columns();
  const int expert = expert_of(value);
  const gguf::ColumnSums sums = expert >= 0 ? split_experts(entry, columns) : entry;
  if (sums.columns() != columns) {
    throw Error(Kind::input, "has statistics of {} columns, expected {}: they are of another model", entry.columns(),
                columns);
  }
  if (std::max(expert + 1, 1) > sums.matrices()) {
    throw Error(Kind::input, "has statistics of {} experts, and is expert {}", sums.matrices(), expert);
  }
  return sums.means(std::max(expert, 0));
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

/// 0: the sample is not of tokens.
int64_t tokens_of(const calibration::Sample& sample) {
  const auto ids = sample.find("input_ids");
  return ids == sample.end() ? 0 : ids->second.count();
}

/// An expert's sums become a matrix of the entry; those that nothing is known of are zero.
void put_entry(const Value& value, const calibration::Statistics& statistics, gguf::ColumnSums& entry) {
  const auto matrix = static_cast<size_t>(std::max(expert_of(value), 0));
  const size_t columns = statistics.squares.size();
  if (entry.counts.size() <= matrix) {
    entry.counts.resize(matrix + 1);
    entry.squares.resize((matrix + 1) * columns);
  }
  entry.counts[matrix] = statistics.rows;
  std::ranges::copy(statistics.squares, entry.squares.begin() + static_cast<std::ptrdiff_t>(matrix * columns));
}

}  // namespace

ColumnStatistics column_statistics(const gguf::Imatrix& matrix, const std::map<std::string, std::string>& names,
                                   const Graph& graph) {
  ColumnStatistics statistics;
  std::string example;
  bool any = false;
  for (const ValueId id : matrices(graph)) {
    const Value& value = graph.value(id);
    const auto name = names.find(value.name);
    if (name == names.end()) {
      continue;
    }
    example = name->second;
    const auto entry = matrix.entries.find(name->second);
    if (entry == matrix.entries.end()) {
      continue;
    }
    any = true;
    if (value.constant->shape.size() > 2) {
      continue;
    }
    auto means =
        with_context(fmt::format("weight '{}'", shown_name(value)), [&] { return means_of(value, entry->second); });
    if (!means.empty()) {
      statistics.emplace(value.name, std::move(means));
    }
  }
  if (!any) {
    throw Error(Kind::input, "names none of the model's weights: an entry is '{}', a weight '{}'",
                matrix.entries.empty() ? "" : matrix.entries.begin()->first, example);
  }
  return statistics;
}

std::map<std::string, std::string> statistics_names(const Model& model) {
  if (model.checkpoint != nullptr) {
    if (auto names = gguf::tensor_names(*model.checkpoint); !names.empty()) {
      return names;
    }
  }
  return display_names(model.graph);
}

gguf::Imatrix measure_statistics(const Model& model, const std::vector<calibration::Sample>& samples,
                                 const std::function<void(double)>& progress) {
  const std::map<std::string, std::string> names = statistics_names(model);
  std::vector<ValueId> weights;
  for (const ValueId id : matrices(model.graph)) {
    if (names.contains(model.graph.value(id).name)) {
      weights.push_back(id);
    }
  }
  gguf::Imatrix result{.chunk_count = std::ssize(samples), .chunk_size = tokens_of(samples.front())};
  const auto note = [&](const calibration::MeasuredLayer& layer) {
    for (const ValueId id : layer.weights) {
      const Value& value = model.graph.value(id);
      put_entry(value, layer.statistics, result.entries[names.at(value.name)]);
    }
  };
  calibration::measure_layers(model, samples, weights, note, progress, calibration::Sums::squares);
  if (result.entries.empty()) {
    throw Error(Kind::input, "no linear multiplies by a weight, so there is nothing to measure");
  }
  return result;
}

ColumnStatistics read_statistics(std::span<const std::filesystem::path> paths, const Model& model) {
  const std::map<std::string, std::string> names = statistics_names(model);
  const gguf::Imatrix matrix = gguf::read_imatrices(paths);
  return with_context(paths.front().string(), [&] { return column_statistics(matrix, names, model.graph); });
}

}  // namespace terse::passes
