#include "passes/solvers/panels.h"
#include "passes/solvers/solver.h"

namespace terse::passes {

Solution solve_weighted(const Encoding& weight, Constraint& constraint, Importance importance,
                        const RowProgress& progress) {
  const int64_t columns = weight.columns();
  return solve_panels(weight, constraint, progress, [&](std::span<float> values, int64_t rows, PanelFit& fit) {
    const Block block{.values = values.data(), .rows = rows, .columns = columns, .stride = columns};
    fit.fit_and_snap(block, importance);
  });
}

Solution solve_nearest(const Encoding& weight, Constraint& constraint, const RowProgress& progress) {
  return solve_weighted(weight, constraint, {}, progress);
}

}  // namespace terse::passes
