#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "calibration/executor.h"
#include "formats/gguf/imatrix.h"
#include "formats/model.h"

namespace terse::passes {

/// Mean squares of what weights' columns are multiplied with, by the weight's name in the graph: [columns] each. What a
/// walk with calibration samples would find out, as far as it fits into that.
using ColumnStatistics = std::map<std::string, std::vector<float>, std::less<>>;

/// The statistics of this graph's weights; weights of which the matrix says nothing have none, nor have stacks of
/// several matrices. Of an entry with several experts a weight takes its own.
///   names   what the graph's weights are called in GGUF files
///   Errors  input if an entry's columns are not the weight's, or no entry is one of the model's weights
ColumnStatistics column_statistics(const gguf::Imatrix& matrix, const std::map<std::string, std::string>& names,
                                   const Graph& graph);

/// What entries are called for this model's weights, by their names in the graph: what GGUF files call them; where the
/// model is of no family that has such files, as users see them (display names), longer ones shortened to a hash and
/// their end. Display names that two weights share are not used: those weights go by their names in the graph.
std::map<std::string, std::string> statistics_names(const Model& model);

/// Walks the model as it is and sums the squares of what each linear weight's columns are multiplied with, over all of
/// its uses: every token that is no padding counts once, as in llama-imatrix. Experts with a weight of their own are
/// matrices of one entry where GGUF files have them in one tensor.
/// Errors:  those of calibration::measure_layers; input if no weight is a linear's.
gguf::Imatrix measure_statistics(const Model& model, const std::vector<calibration::Sample>& samples,
                                 const std::function<void(double done)>& progress);

/// The same of files, several as if measured in one run, in their order. Errors: those of read_imatrices.
ColumnStatistics read_statistics(std::span<const std::filesystem::path> paths, const Model& model);

}  // namespace terse::passes
