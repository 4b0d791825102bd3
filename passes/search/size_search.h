#pragma once

#include "passes/search/predicted_costs.h"

namespace terse::passes {

/// What the encodings must not pass: one of the two.
struct SizeLimit {
  std::optional<int64_t> max_bytes;    ///< of all files
  std::optional<double> average_bits;  ///< of a number of the free weights: of what the files have for them
};

/// A search for the encodings that keep a model's outputs nearest to the original's in a given size.
struct SizeSearch {
  const Model& original;
  const Pipeline& pipeline;                  ///< what runs beside it, fixed lines included
  const std::vector<ValueId>& free_weights;  ///< those it decides on, see find_free_weights
  const SearchTargetRow& target;
  SizeLimit limit;
  PlanFiles plan_files;
  std::function<int64_t(const Pipeline&)> count_bytes;  ///< of all files that a pipeline ends in, to the byte
};

struct FoundEncodings {
  Pipeline pipeline;  ///< with passes for the encodings that were found
  int64_t bytes = 0;  ///< of all files, to the byte
  double predicted = 0;
  std::string_view measure;  ///< of `predicted`
};

/// Errors: unsupported, with the smallest size that there is, if none is small enough; usage without free weights;
/// those of make_search_space and predict_costs.
FoundEncodings search_encodings(const SizeSearch& search, const SearchKnowledge& known);

}  // namespace terse::passes
