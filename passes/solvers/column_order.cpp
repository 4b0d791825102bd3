#include "passes/solvers/column_order.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <span>

namespace terse::passes {
namespace {

/// Sorts whole runs of `unit` columns by falling sums of their diagonal entries.
void sort_runs(std::span<int64_t> order, int64_t unit, const calibration::Gram& hessian) {
  struct Run {
    double sum = 0;
    int64_t first = 0;
  };
  std::vector<Run> runs;
  for (size_t i = 0; i + static_cast<size_t>(unit) <= order.size(); i += static_cast<size_t>(unit)) {
    Run run{.first = order[i]};
    for (int64_t column = run.first; column < run.first + unit; ++column) {
      run.sum += static_cast<double>(hessian.at(column, column));
    }
    runs.push_back(run);
  }
  std::ranges::stable_sort(runs, std::greater<>(), &Run::sum);
  auto to = order.begin();
  for (const Run& run : runs) {
    std::iota(to, to + unit, run.first);
    to += unit;
  }
}

/// The same in each run of `unit` columns, by smaller ones.
void sort_within(std::span<int64_t> order, int64_t unit, int64_t smaller, const calibration::Gram& hessian) {
  for (size_t i = 0; i < order.size(); i += static_cast<size_t>(unit)) {
    sort_runs(order.subspan(i, std::min(static_cast<size_t>(unit), order.size() - i)), smaller, hessian);
  }
}

}  // namespace

std::vector<int64_t> stored_order(int64_t columns) {
  std::vector<int64_t> order(static_cast<size_t>(columns));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

std::vector<int64_t> column_order(const calibration::Gram& hessian, const FittingBlock& blocks) {
  std::vector<int64_t> order = stored_order(hessian.columns());
  sort_runs(order, blocks.columns, hessian);
  int64_t unit = blocks.columns;
  if (blocks.refit_columns > 0) {
    sort_within(order, unit, blocks.refit_columns, hessian);
    unit = blocks.refit_columns;
  }
  sort_within(order, unit, 1, hessian);
  return order;
}

}  // namespace terse::passes
