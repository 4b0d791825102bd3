#include "cli/encoding_search.h"

#include <fmt/format.h>

#include "cli/figures.h"
#include "cli/units.h"
#include "formats/error.h"
#include "passes/search/average_bits.h"

namespace terse::cli {

std::optional<passes::SizeLimit> find_limit(const std::string& max_size, const passes::Pipeline& pipeline) {
  std::optional<passes::SizeLimit> limit;
  if (!max_size.empty()) {
    limit = {.max_bytes = parse_size(max_size), .average_bits = {}};
  }
  for (const passes::PassCall& call : pipeline.calls) {
    const auto bits = passes::find_average_bits(call);
    if (bits && limit) {
      throw Error(Kind::usage, "'{}': there is one limit for a run, and there is another already", to_string(call));
    }
    if (bits) {
      limit = {.max_bytes = {}, .average_bits = bits};
    }
  }
  return limit;
}

std::optional<passes::FoundEncodings> find_encodings(const EncodingSearch& search, const Model& original,
                                                     const passes::SearchKnowledge& known) {
  const passes::SearchTargetRow& target = passes::get_search_target(search.format.name);
  passes::Pipeline pipeline = search.chosen.pipeline;
  if (pipeline.calls.empty()) {
    pipeline = passes::parse_recipe(target.rewrites);
  }
  const auto free_weights = passes::find_free_weights(original.graph, pipeline, search.chosen.encodings, target);
  if (free_weights.empty()) {
    return std::nullopt;
  }
  passes::add_encodings(search.chosen.encodings, original.graph, pipeline);
  return passes::search_encodings(
      {.original = original,
       .pipeline = pipeline,
       .free_weights = free_weights,
       .target = target,
       .limit = search.limit,
       .plan_files =
           [&](const Model& planned) { return search.format.layout(planned, search.path, search.write_options); },
       .count_bytes = [&](const passes::Pipeline& complete) { return search.plan(complete).total_bytes(); }},
      known);
}

std::string predicted_text(const passes::FoundEncodings& found) {
  return fmt::format("{} {}", found.measure, format_figure(found.predicted, Unit::number));
}

}  // namespace terse::cli
