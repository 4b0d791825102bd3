#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/model.h"

namespace terse::passes {

/// One pass with its options as the user wrote them: "prune,pattern=2:4".
struct PassCall {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;
};

/// A pipeline is text: passes in order, one a line in a recipe file ('#' starts a comment), one a `--pass` on the
/// command line.
struct Pipeline {
  std::vector<PassCall> calls;
};

/// Error usage for what the grammar does not know, for unknown passes, options and values; the nearest valid name is
/// suggested.
PassCall parse_pass(std::string_view text);
Pipeline parse_recipe(std::string_view text);

/// The canonical text: parses back to the same pipeline.
std::string to_string(const PassCall& call);
std::string to_string(const Pipeline& pipeline);

/// What a pipeline did to one weight.
struct WeightReport {
  std::string name;  ///< display name
  std::vector<Role> roles;
  Shape shape;
  std::string before, after;  ///< encodings, as `describe` names them
  int64_t bytes_before = 0, bytes_after = 0;
  double snr_db = 0;          ///< 10 log10(|W|^2 / |W - Q|^2); infinite if nothing changed
  double zeros_fraction = 0;  ///< of the weights as written
};

struct PassTime {
  std::string pass;  ///< canonical text
  double seconds = 0;
};

struct PipelineReport {
  std::vector<WeightReport> weights;  ///< in graph order, every float weight of rank 2 or more
  std::vector<PassTime> times;
};

struct PipelineOptions {
  bool plan_only = false;  ///< set encodings without data: for --dry-run
  uint64_t seed = 0;
  std::function<void(std::string_view what, double done)> progress;  ///< may be empty; `done` in [0, 1]
};

/// Runs the passes over the model. Projections that select the same weight compose and are solved together.
/// Errors: input with the weight's display name for non-finite values; usage if an `only=` pattern matches nothing.
PipelineReport run_pipeline(const Pipeline& pipeline, Model& model, const PipelineOptions& options);

}  // namespace terse::passes
