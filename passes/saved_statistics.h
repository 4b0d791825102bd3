#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calibration/walk.h"
#include "formats/gguf/imatrix.h"
#include "formats/model.h"

namespace terse::passes {

/// What files say of a weight's inputs: what a walk with calibration samples would find out, as far as it is there.
struct SavedInputs {
  std::vector<float> means;                ///< mean squares of what columns are multiplied with
  std::optional<gguf::Products> products;  ///< X^T X, in the files
};

/// By the weight's name in the graph.
using SavedStatistics = std::map<std::string, SavedInputs, std::less<>>;

/// The statistics of this graph's weights; weights of which the matrix says nothing have none. Of an entry with several
/// experts a weight takes its own. Stacks of several matrices have none as such, but their matrices have, by the names
/// that the pass split-experts gives them.
///   names   what the graph's weights are called in GGUF files
///   Errors  input if an entry's columns are not the weight's, or no entry is one of the model's weights
SavedStatistics saved_statistics(const gguf::Imatrix& matrix, const std::map<std::string, std::string>& names,
                                 const Graph& graph);

/// The same of files, several as if measured in one run, in their order. Errors: those of read_imatrices.
SavedStatistics read_statistics(std::span<const std::filesystem::path> paths, const Model& model);

/// X^T X in memory. Reads it from the files, and keeps nothing of them.
calibration::Statistics to_statistics(const gguf::Products& products);

/// What entries are called for this model's weights, by their names in the graph: what GGUF files call them; where the
/// model is of no family that has such files, as users see them (display names), longer ones shortened to a hash and
/// their end. Display names that two weights share are not used: those weights go by their names in the graph.
std::map<std::string, std::string> statistics_names(const Model& model);

/// Where in a file the sums of one weight are.
struct StatisticsPlace {
  std::string entry;
  int64_t matrix = 0;      ///< of the entry
  bool is_expert = false;  ///< one of several weights that share the entry
};

/// By the weights' names in the graph: experts that share an entry are its matrices in their order. A stack of matrices
/// is an entry, and its matrices have the names that the pass split-experts gives them.
using StatisticsPlaces = std::map<std::string, StatisticsPlace>;
StatisticsPlaces statistics_places(const Graph& graph, const std::map<std::string, std::string>& names);

}  // namespace terse::passes
