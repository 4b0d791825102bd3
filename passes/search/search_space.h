#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/encodings_file.h"
#include "passes/search/search_targets.h"

namespace terse::passes {

/// What one weight may become.
struct EncodingOption {
  std::optional<PassCall> call;  ///< what makes it, without a selection; nullopt: it stays as it is
  int64_t bytes = 0;             ///< in the files, of all weights of the group with what stands around them
};

/// Weights that must be stored alike: experts that a runtime computes in one go. Mostly one.
struct WeightGroup {
  std::vector<ValueId> weights;  ///< of the original's graph
  std::vector<EncodingOption> options;
};

struct SearchSpace {
  std::vector<WeightGroup> groups;
  int64_t fixed_bytes = 0;  ///< of everything else in the files, but for some padding
};

/// Plans the files of a model whose encodings may be without data. Error unsupported if the target cannot hold it.
using PlanFiles = std::function<Layout(const Model& planned)>;

/// The weights that the search decides on: those that passes of the pipeline would quantize; if none of them gives
/// codes, those of the target's row; in either case without those that `fixed` names.
std::vector<ValueId> find_free_weights(const Graph& graph, const Pipeline& pipeline,
                                       const std::vector<EncodingLine>& fixed, const SearchTargetRow& target);

/// Their options, with their bytes as the target stores them. Options that cost as much as another or more and come to
/// the same are left out.
///   pipeline  all that runs beside the search, fixed lines included; what it would make of free weights does not count
/// Weights that can only stay as they are have that one option.
SearchSpace make_search_space(const Model& original, const Pipeline& pipeline, const std::vector<ValueId>& free_weights,
                              const SearchTargetRow& target, const PlanFiles& plan_files);

/// A line for each encoding that is chosen: `options` has the index of each group's option.
std::vector<EncodingLine> encoding_lines(const Graph& graph, const SearchSpace& space,
                                         const std::vector<size_t>& options);

}  // namespace terse::passes
