#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/executor.h"
#include "formats/model.h"
#include "passes/pass.h"
#include "passes/saved_statistics.h"
#include "passes/solved_journal.h"

namespace terse::passes {

/// A pipeline is text: passes in order, one a line in a recipe file ('#' starts a comment), one a `--pass` on the
/// command line. `name,key=value,...`; blanks around the pieces do not count.
struct Pipeline {
  std::vector<PassCall> calls;
};

/// Error usage for what the grammar does not know, for unknown passes, options and values; the nearest valid name is
/// suggested. An error in a recipe names its line.
PassCall parse_pass(std::string_view text);
Pipeline parse_recipe(std::string_view text);

/// The canonical text: options in the order of their rows, nothing added. Parses back to the same pipeline. A pipeline
/// is a pass a line.
std::string to_string(const PassCall& call);
std::string to_string(const Pipeline& pipeline);

/// What a pipeline did to one weight.
struct WeightReport {
  std::string name;  ///< display name
  std::vector<Role> roles;
  Shape shape;
  std::string before, after;  ///< encodings, as `describe` names them
  int64_t bytes_before = 0, bytes_after = 0;
  /// 10 log10(|W|^2 / |W - Q|^2); infinite if nothing changed. If several passes worked one after the other, their
  /// errors are added. Meaningless (infinite) after plan_only.
  double snr_db = 0;
  std::optional<double> zeros_fraction;  ///< of the weight as written; absent if no pass has looked at its numbers
  std::string solver;                    ///< which found it; empty if no pass has changed it
  std::optional<double> output_error;    ///< of the layer's outputs, relative and squared; absent without data
                                         ///< and statistics
  /// Why a weight that was selected is left alone, or is something else than what was asked for; else empty.
  std::string note;
};

struct PassTime {
  std::string pass;     ///< canonical text; of projections that were solved together, joined by " + "
  int64_t weights = 0;  ///< how many weights were selected
  double seconds = 0;
};

struct PipelineReport {
  std::vector<WeightReport> weights;  ///< in graph order, every float weight of rank 2 or more
  std::vector<PassTime> times;
};

struct PipelineOptions {
  bool plan_only = false;  ///< set encodings without data: for --dry-run
  /// Calibration samples; null: weights are rounded to the nearest. Otherwise projections walk the graph with them.
  const std::vector<calibration::Sample>* samples = nullptr;
  /// What is known of weights' inputs without samples; null: nothing. Weights that it names are solved by it, the
  /// others are rounded to the nearest. Not together with samples.
  const SavedStatistics* statistics = nullptr;
  /// Where solved weights are kept for a run that goes on after this one was killed, and found if this is such a run;
  /// null: nowhere.
  SolvedJournal* journal = nullptr;
  std::function<void(std::string_view what, double done)> progress;  ///< may be empty; `done` in [0, 1]
};

/// Runs the passes over the model, in order. Neighbouring projections that select the same weight compose and are
/// solved together: first the masks, then the last of the passes that give the weight another encoding.
/// Errors: input with the weight's display name for non-finite values; usage if a word of a selection matches nothing.
PipelineReport run_pipeline(const Pipeline& pipeline, Model& model, const PipelineOptions& options);

}  // namespace terse::passes
