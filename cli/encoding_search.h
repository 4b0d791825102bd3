#pragma once

#include "cli/pipeline_choice.h"
#include "passes/search/size_search.h"

namespace terse::cli {

/// Makes the files of a pipeline without data: their bytes. Error unsupported if the target cannot hold a weight.
using PlanPipeline = std::function<Layout(const passes::Pipeline&)>;

struct EncodingSearch {
  const ChosenPipeline& chosen;
  const FormatRow& format;
  const WriteOptions& write_options;
  const std::filesystem::path& path;  ///< of the output
  int64_t max_bytes = 0;
  PlanPipeline plan;
};

/// What --max-size makes of a pipeline: encodings for the weights that its passes quantize, without such passes for all
/// that the target's row names; nothing where it names weights one by one. Errors: as of search_encodings.
std::optional<passes::FoundEncodings> find_encodings(const EncodingSearch& search, const Model& original,
                                                     const passes::SearchKnowledge& known);

/// "KL divergence 0.0412 nats".
std::string predicted_text(const passes::FoundEncodings& found);

}  // namespace terse::cli
