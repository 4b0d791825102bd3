#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "passes/layer_walk.h"
#include "passes/pass.h"
#include "passes/projection.h"
#include "passes/solved_journal.h"

namespace terse::passes {

/// One of the neighbouring projections of a pipeline that are solved together, with the weights that it has selected.
struct Member {
  const PassCall* call = nullptr;
  std::unique_ptr<Projection> projection;
  std::string_view solver;
  std::vector<ValueId> weights = {};
};

/// What became of one weight.
struct SolvedWeight {
  ValueId id = kNoValue;
  const Projected& projected;
  std::string note;  ///< what the report is to say beside numbers; may be empty
};

struct SolvingOptions {
  Effort effort = Effort::solve;
  Sources sources;          ///< not looked at when planning
  ProgressReport progress;  ///< may be empty
  /// Where solved weights are kept, and those of an earlier run found; null: nowhere. Not looked at when planning.
  SolvedJournal* journal = nullptr;
  int64_t stage = 0;  ///< in the journal
};

/// Replaces each of the weights by what the members that have selected it make of it: all their masks hold; of the
/// others the last one of the highest part gives the encoding. `on_solved` hears of each.
/// Errors: those of visit_weights and of project.
void solve_weights(Model& model, const std::vector<ValueId>& weights, const std::vector<Member>& members,
                   const SolvingOptions& options, const std::function<void(const SolvedWeight&)>& on_solved);

}  // namespace terse::passes
