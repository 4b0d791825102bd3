#include "passes/solvers/panels.h"

#include <algorithm>
#include <vector>

#include "calibration/parallel.h"
#include "passes/solvers/measure.h"

namespace terse::passes {
namespace {

// Decoded bytes between two releases of the file's pages.
constexpr int64_t kTileBytes = int64_t{8} << 20;

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

struct Panel {
  int64_t first_row = 0, rows = 0;
};

Solution solve_panel(const Encoding& weight, Constraint& constraint, Panel panel, const SolvePanel& solve) {
  // Tensors: memory that nobody clears first.
  Tensor original = Tensor::uninitialized(DType::f32, {panel.rows, weight.columns()});
  Tensor rounded = Tensor::uninitialized(DType::f32, {panel.rows, weight.columns()});
  const auto before = original.mutable_values<float>(), after = rounded.mutable_values<float>();
  decode_rows(weight, panel.first_row, panel.rows, before);
  std::ranges::copy(before, after.begin());
  const auto fit = constraint.begin(panel.first_row, panel.rows);
  solve(after, panel.rows, *fit);
  return measure(before, after);
}

void add(std::span<const Solution> panels, Solution& total) {
  for (const Solution& panel : panels) {
    total.signal += panel.signal;
    total.noise += panel.noise;
    total.zeros += panel.zeros;
  }
}

}  // namespace

Solution compare(const Encoding& before, const Encoding& after) {
  std::vector<Solution> panels(static_cast<size_t>((before.rows() + kPanelRows - 1) / kPanelRows));
  calibration::parallel_ranges(before.rows(), kPanelRows, [&](int64_t begin, int64_t end) {
    std::vector<float> old_numbers(static_cast<size_t>((end - begin) * before.columns())), numbers(old_numbers.size());
    decode_rows(before, begin, end - begin, old_numbers);
    decode_rows(after, begin, end - begin, numbers);
    panels[static_cast<size_t>(begin / kPanelRows)] = measure(old_numbers, numbers);
  });
  release_pages(before);
  Solution total;
  add(panels, total);
  return total;
}

Solution solve_panels(const Encoding& weight, Constraint& constraint, const RowProgress& progress,
                      const SolvePanel& solve) {
  const int64_t rows = weight.rows();
  if (rows == 0 || weight.columns() == 0) {
    return {};
  }
  const int64_t panel_rows = std::min(rows, round_up(kPanelRows, constraint.fitting_block().rows));
  const int64_t row_bytes = weight.columns() * static_cast<int64_t>(sizeof(float));
  const int64_t tile_rows = std::max(panel_rows, kTileBytes / row_bytes / panel_rows * panel_rows);
  Solution total;
  for (int64_t first = 0; first < rows; first += tile_rows) {
    const int64_t tile = std::min(tile_rows, rows - first);
    std::vector<Solution> solutions(static_cast<size_t>((tile + panel_rows - 1) / panel_rows));
    calibration::parallel_ranges(tile, panel_rows, [&](int64_t begin, int64_t end) {
      solutions[static_cast<size_t>(begin / panel_rows)] =
          solve_panel(weight, constraint, {.first_row = first + begin, .rows = end - begin}, solve);
    });
    add(solutions, total);
    release_rows(weight, first, tile);
    progress(first + tile);
  }
  return total;
}

}  // namespace terse::passes
