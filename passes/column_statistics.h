#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

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

/// The same of files, several as if measured in one run. Errors: those of read_imatrices; usage if the model is of no
/// family that has GGUF files.
ColumnStatistics read_statistics(std::span<const std::filesystem::path> paths, const Model& model);

}  // namespace terse::passes
