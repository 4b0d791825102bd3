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

/// Rounds every number to the nearest one of the set; needs no data. Which rows are worked on together depends on the
/// weight's shape and the constraint alone.
/// Errors:  Kind::input if a number is not finite.
/// Memory:  a panel a thread (32 rows, or what the constraint fits together), and at most 8 MiB of the weight's mapped
///          pages (all, if it is stored transposed and has few rows): pages are given back as the rows are done.
Solution solve_nearest(const Encoding& weight, Constraint& constraint, const RowProgress& progress);

}  // namespace terse::passes
