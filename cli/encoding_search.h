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
  passes::SizeLimit limit;
  PlanPipeline plan;
};

/// The limit that --max-size (empty: none) or a pass sets, such as quantize,bits=4.25; nullopt if none does. Error
/// usage if several do.
std::optional<passes::SizeLimit> find_limit(const std::string& max_size, const passes::Pipeline& pipeline);

/// What a limit makes of a pipeline: encodings for the weights that its passes quantize, without such passes for all
/// that the target's row names; nothing where it names weights one by one. Errors: as of search_encodings.
std::optional<passes::FoundEncodings> find_encodings(const EncodingSearch& search, const Model& original,
                                                     const passes::SearchKnowledge& known);

/// "KL divergence 0.0412 nats".
std::string predicted_text(const passes::FoundEncodings& found);

}  // namespace terse::cli
