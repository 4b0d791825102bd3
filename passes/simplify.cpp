#include "passes/simplify.h"

#include "formats/onnx/canonical.h"
#include "passes/pass.h"
#include "passes/pass_rows.h"
#include "passes/simplify_steps.h"

namespace terse::passes {

namespace {

/// Constants that were computed, or cut to another shape, play no role.
void name_new_constants(Graph& graph) {
  for (Value& value : graph.values) {
    if (value.constant != nullptr && is_float(compute_dtype(*value.constant)) && value.roles.empty()) {
      value.roles = {Role{}};
      value.display_name = value.name;
    }
  }
}

}  // namespace

void simplify(Model& model) {
  constexpr int kMostRounds = 16;
  Graph& graph = model.graph;
  bool is_changed = true;
  for (int round = 0; is_changed && round < kMostRounds; ++round) {
    is_changed = fold_constants(model);
    is_changed = remove_no_ops(graph) || is_changed;
    is_changed = merge_chains(graph) || is_changed;
    is_changed = merge_equal_nodes(graph) || is_changed;
    onnx::remove_identities(graph);
    remove_dead(graph);
  }
  onnx::canonicalize(graph);
  name_new_constants(graph);
}

constinit const PassRow kSimplify = {
    .name = "simplify",
    .summary = "computes what depends on constants alone, drops nodes that change nothing, merges equal ones",
    .stage = Stage::rewrite,
    .rewrite = [](Model& model, const Arguments&) { simplify(model); },
};

}  // namespace terse::passes
