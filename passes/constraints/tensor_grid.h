#pragma once

#include "passes/constraints/constraint.h"
#include "passes/constraints/grid_fit.h"

namespace terse::passes {

struct TensorGrid {
  float scale = 0;
  int zero = 0;
  float peak_scale = 0;  ///< as GridFits::peak_scale
};

/// The grid of the least error for all numbers of a block, however many: the same search as fit_grids, with sums in
/// double over rows that are worked on in parallel. Limits as there.
TensorGrid fit_tensor_grid(const GridSpec& spec, const ConstBlock& block, Importance importance);

}  // namespace terse::passes
