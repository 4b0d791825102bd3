#include "passes/constraints/sparsity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

std::vector<float> masked(Constraint& mask, std::vector<float> row, Importance importance = {}) {
  const auto columns = static_cast<int64_t>(row.size());
  const auto fit = mask.begin(0, 1);
  const Block block{.values = row.data(), .rows = 1, .columns = columns, .stride = columns};
  fit->fit(as_const(block), importance);
  for (int64_t column = 0; column < columns; ++column) {
    fit->snap(block.slice(column, 1));
  }
  return row;
}

double zeros(std::span<const float> numbers) {
  return static_cast<double>(std::count(numbers.begin(), numbers.end(), 0.0F)) / static_cast<double>(numbers.size());
}

TEST_SUITE("passes/constraints/sparsity") {
  TEST_CASE("a pattern keeps the largest of each group") {
    struct Row {
      int64_t keep, group;
      std::vector<float> before, after;
    };
    for (const Row& row : {
             Row{2, 4, {1, -4, 3, 2, 0, 0, 0, 5}, {0, -4, 3, 0, 0, 0, 0, 5}},
             Row{2, 4, {1, 1, 1, 1}, {1, 1, 0, 0}},
             Row{1, 2, {1, -2, 3, 1}, {0, -2, 3, 0}},
             Row{2, 4, {1, 2, 3, 4, 1, 2, 3}, {0, 0, 3, 4, 0, 2, 3}},  // 3 columns lose floor(3 * 2 / 4) = 1
             Row{2, 4, {1, 2, 3, 4, 1}, {0, 0, 3, 4, 1}},
         }) {
      PatternMask mask(row.keep, row.group);
      CHECK(masked(mask, row.before) == row.after);
    }
  }

  TEST_CASE("importance decides which columns a pattern keeps") {
    PatternMask mask(2, 4);
    const std::vector<float> importance = {100, 1, 1, 2};
    CHECK(masked(mask, {1, 4, 3, 4}, importance) == std::vector<float>{1, 0, 0, 4});
  }

  TEST_CASE("the threshold prunes the ratio of the numbers, the smallest") {
    const EncodingPtr weight = random_matrix(300, 70);
    for (const double ratio : {0.1, 0.5, 0.9, 0.999}) {
      CAPTURE(ratio);
      const float threshold = magnitude_threshold({&weight, 1}, ratio);
      ThresholdMask mask(threshold);
      const auto numbers = weight->dense()->values.values<float>();
      const auto left = masked(mask, std::vector<float>(numbers.begin(), numbers.end()));
      CHECK(zeros(left) == doctest::Approx(ratio).epsilon(0.0005));
      CHECK(std::all_of(left.begin(), left.end(), [&](float x) { return x == 0 || std::fabs(x) > threshold; }));
    }
  }

  TEST_CASE("a ratio holds in every row, and in every 128 columns of it, for what is important") {
    RatioMask mask(0.3);
    const std::vector<float> numbers = normal_numbers(300);
    const auto left = masked(mask, numbers);
    CHECK(zeros(left) == doctest::Approx(0.3));
    CHECK(zeros({left.begin(), left.begin() + 128}) == doctest::Approx(0.3).epsilon(0.02));
    std::vector<float> importance(300, 1.0F);
    std::fill_n(importance.begin(), 20, 1e6F);
    const auto kept = masked(mask, numbers, importance);
    CHECK(std::equal(kept.begin(), kept.begin() + 20, numbers.begin()));
  }

  TEST_CASE("a threshold over a weight as it was prunes the same numbers wherever they have moved") {
    ThresholdMask mask(2.0F, matrix(1, 4, {1, -3, 2, 4}));
    CHECK(masked(mask, {9, 9, 9, 0.5F}) == std::vector<float>{0, 9, 0, 0.5F});
  }

  TEST_CASE("several weights share one threshold") {
    const std::vector<EncodingPtr> weights = {matrix(1, 4, {1, -2, 3, 4}), matrix(1, 4, {10, 20, 30, 40})};
    CHECK(magnitude_threshold(weights, 0.5) == 4.0F);
    CHECK(magnitude_threshold(weights, 0.25) == 2.0F);
  }

  TEST_CASE("equal magnitudes are pruned together or not at all") {
    const EncodingPtr flat = matrix(1, 4, {2, -2, 2, 2});
    CHECK(magnitude_threshold({&flat, 1}, 0.3) < 2.0F);
    CHECK(magnitude_threshold({&flat, 1}, 0.6) == 2.0F);
    const EncodingPtr zero = matrix(1, 4, {0, 0, 0, 1});
    CHECK(magnitude_threshold({&zero, 1}, 0.5) == 0.0F);
  }

  TEST_CASE("a number that is not finite is an error") {
    for (const float bad : {INFINITY, -INFINITY, NAN}) {
      const EncodingPtr weight = matrix(1, 2, {1, bad});
      CHECK_THROWS_WITH_AS(magnitude_threshold({&weight, 1}, 0.5), "holds a number that is not finite", Error);
    }
  }
}

}  // namespace
}  // namespace terse::passes
