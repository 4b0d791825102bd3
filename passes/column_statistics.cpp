#include "passes/column_statistics.h"

#include <algorithm>

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

ColumnStatistics read_statistics(std::span<const std::filesystem::path> paths, const Model& model) {
  if (model.checkpoint == nullptr) {
    throw Error(Kind::usage, "statistics name tensors of GGUF files, which a graph does not know: give the checkpoint");
  }
  const std::map<std::string, std::string> names = gguf::tensor_names(*model.checkpoint);
  if (names.empty()) {
    throw Error(Kind::usage, "statistics name tensors of GGUF files, which there are none of for family {}",
                model.checkpoint->family);
  }
  const gguf::Imatrix matrix = gguf::read_imatrices(paths);
  return with_context(paths.front().string(), [&] { return column_statistics(matrix, names, model.graph); });
}

}  // namespace terse::passes
