#pragma once

#include <functional>
#include <span>

#include "passes/solvers/solver.h"

namespace terse::passes {

/// Rows that one thread decodes and rounds at a time: few enough to stay in its cache, and two cache lines of a weight
/// that is stored transposed.
inline constexpr int64_t kPanelRows = 32;

/// Fits and snaps `values` [rows, columns], the numbers of a panel.
using SolvePanel = std::function<void(std::span<float> values, int64_t rows, PanelFit& fit)>;

/// What became of a weight, whoever solved it. The encodings have one shape. Pages of the weight's file are given back.
Solution compare(const Encoding& before, const Encoding& after);

/// Cuts a weight into panels of rows, solves them in parallel and adds up what became of them. Which rows are worked on
/// together depends on the weight's shape and the constraint alone.
/// Errors:  Kind::input if a number is not finite.
/// Memory:  a panel a thread (32 rows, or what the constraint fits together), and at most 8 MiB of the weight's mapped
///          pages (all, if it is stored transposed and has few rows): pages are given back as the rows are done.
Solution solve_panels(const Encoding& weight, Constraint& constraint, const RowProgress& progress,
                      const SolvePanel& solve);

}  // namespace terse::passes
