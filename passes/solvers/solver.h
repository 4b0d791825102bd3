#pragma once

#include <cstdint>
#include <functional>

#include "passes/constraints/constraint.h"

namespace terse::passes {

/// What became of one weight; sums over all of its numbers.
struct Solution {
  double signal = 0;  ///< of w^2
  double noise = 0;   ///< of (w - q)^2
  int64_t zeros = 0;  ///< how many q are zero
};

/// Told how many rows are done.
using RowProgress = std::function<void(int64_t rows)>;

/// Rounds every number to the nearest one of the set; needs no data.
/// Errors and memory: as of solve_panels.
Solution solve_nearest(const Encoding& weight, Constraint& constraint, const RowProgress& progress);

/// The same, but scales, tables and masks are chosen for the least squared error in which each column counts
/// `importance` times, such as the diagonal of the layer's X^T X.
Solution solve_weighted(const Encoding& weight, Constraint& constraint, Importance importance,
                        const RowProgress& progress);

}  // namespace terse::passes
