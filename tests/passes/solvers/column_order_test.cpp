#include "passes/solvers/column_order.h"

#include <doctest/doctest.h>

#include <cmath>

namespace terse::passes {
namespace {

/// One sample whose squares are these.
calibration::Gram gram_of(const std::vector<float>& squares) {
  std::vector<float> x(squares.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = std::sqrt(squares[i]);
  }
  calibration::Gram gram(static_cast<int64_t>(x.size()));
  gram.add(x, {});
  gram.finish();
  return gram;
}

TEST_SUITE("passes/solvers/column_order") {
  TEST_CASE("columns fall by what their inputs are, and what is fitted together stays together") {
    struct Row {
      std::string_view what;
      FittingBlock blocks;
      std::vector<float> squares;
      std::vector<int64_t> order;
    };
    const std::vector<Row> rows = {
        {"free columns", {}, {1, 9, 4, 16}, {3, 1, 2, 0}},
        {"equal ones keep their order", {}, {4, 4, 9, 4}, {2, 0, 1, 3}},
        {"blocks by their means", {.columns = 2}, {1, 36, 16, 25}, {3, 2, 1, 0}},
        {"a row is one block", {.columns = 4}, {1, 9, 4, 16}, {3, 1, 2, 0}},
        {"a shorter block stays last", {.columns = 2}, {1, 4, 16, 9, 100}, {2, 3, 1, 0, 4}},
        {"within blocks what is refitted, then columns",
         {.columns = 4, .refit_columns = 2},
         {1, 1, 1, 4, 25, 1, 16, 16},
         {6, 7, 4, 5, 3, 2, 0, 1}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CHECK(column_order(gram_of(row.squares), row.blocks) == row.order);
    }
  }
}

}  // namespace
}  // namespace terse::passes
