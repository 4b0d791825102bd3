#include "passes/constraints/codebook.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "calibration/parallel.h"
#include "formats/error.h"
#include "passes/constraints/sparsity.h"
#include "passes/solvers/solver.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

struct Solved {
  Encoding encoding;
  Solution solution;
};

Solved solve(const EncodingPtr& weight, const CodebookOptions& options) {
  CodebookConstraint constraint(*weight, options);
  constraint.allocate();
  const Solution solution = solve_nearest(*weight, constraint, [](int64_t) {});
  return {constraint.finish(), solution};
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes().size() == b.bytes().size() && std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

TEST_SUITE("passes/constraints/codebook") {
  TEST_CASE("the error of normal numbers stays below its bound") {
    // Of their variance, a little above what was measured when this was written.
    struct Row {
      CodebookOptions options;
      double bound = 0;
    };
    const EncodingPtr weight = random_matrix(64, 576);
    for (const Row& row : {
             Row{{.centroids = 16, .group_rows = 1}, 0.0079},
             Row{{.centroids = 16, .group_rows = 4}, 0.0086},
             Row{{.centroids = 16, .group_rows = 0}, 0.0088},
             Row{{.centroids = 4, .group_rows = 1}, 0.112},
             Row{{.centroids = 256, .group_rows = 0}, 0.00006},
         }) {
      const Solved solved = solve(weight, row.options);
      CAPTURE(describe(solved.encoding));
      CHECK(solved.solution.noise / solved.solution.signal < row.bound);
    }
  }

  TEST_CASE("the encoding decodes to what the solution says of it") {
    const EncodingPtr weight = random_matrix(12, 75);
    for (const int64_t centroids : {2, 5, 16, 17, 256}) {
      for (const int64_t group_rows : {1, 3, 0}) {
        const Solved solved = solve(weight, {.centroids = centroids, .group_rows = group_rows});
        const Tensor before = decode(*weight), after = decode(solved.encoding);
        double noise = 0;
        for (size_t i = 0; i < before.values<float>().size(); ++i) {
          noise += std::pow(static_cast<double>(before.values<float>()[i]) - after.values<float>()[i], 2);
        }
        CHECK(noise == doctest::Approx(solved.solution.noise).epsilon(1e-4));
      }
    }
  }

  TEST_CASE("flat rows, plateaus and zeros come back exactly") {
    std::vector<float> numbers;
    numbers.reserve(120);
    for (int i = 0; i < 3 * 40; ++i) {
      numbers.push_back(i < 40 ? 0.75F : (i < 80 ? static_cast<float>(i % 16) - 3.5F : 0.0F));
    }
    const EncodingPtr weight = matrix(3, 40, numbers);
    CHECK(solve(weight, {.centroids = 16, .group_rows = 1}).solution.noise == 0);
  }

  TEST_CASE("pruned zeros are a centroid of their own") {
    const EncodingPtr weight = random_matrix(16, 64);
    for (const int64_t group_rows : {1, 0}) {
      CodebookConstraint codebook(*weight, {.centroids = 4, .group_rows = group_rows});
      codebook.allocate();
      std::vector<std::unique_ptr<Constraint>> masks;
      masks.push_back(std::make_unique<PatternMask>(1, 4));
      Composition composition(std::move(masks), codebook);
      const Solution solution = solve_nearest(*weight, composition, [](int64_t) {});
      CHECK(solution.zeros >= 16 * 64 * 3 / 4);  // and numbers that are nearer to zero than to the others
      const Encoding encoding = codebook.finish();
      const auto table = encoding.codebook()->codebooks.values<Half>();
      CHECK(std::count(table.begin(), table.begin() + 4, Half{0}) == 1);
    }
  }

  TEST_CASE("the table is ascending and numbers go to the nearest entry") {
    const EncodingPtr weight = random_matrix(2, 300);
    const Encoding encoding = solve(weight, {.centroids = 16, .group_rows = 0, .centroid_dtype = DType::f32}).encoding;
    const auto table = encoding.codebook()->codebooks.values<float>();
    CHECK(std::is_sorted(table.begin(), table.end()));
    const Tensor before = decode(*weight), after = decode(encoding);
    for (size_t i = 0; i < 600; ++i) {
      const float number = before.values<float>()[i];
      const float distance = std::fabs(number - after.values<float>()[i]);
      CHECK(std::none_of(table.begin(), table.end(), [&](float c) { return std::fabs(number - c) < distance; }));
    }
  }

  TEST_CASE("large groups lose next to nothing against the exact optimum") {
    const EncodingPtr weight = random_matrix(64, 64);  // 4096 numbers: the largest that is solved exactly
    std::vector<float> twice = normal_numbers(int64_t{64} * 64);
    twice.insert(twice.end(), twice.begin(), twice.begin() + int64_t{64} * 64);
    const EncodingPtr doubled = matrix(128, 64, twice);
    const CodebookOptions options{.centroids = 16, .group_rows = 0, .centroid_dtype = DType::f32};
    const double exact = solve(weight, options).solution.noise;
    CHECK(solve(doubled, options).solution.noise < 2 * exact * 1.001);
  }

  TEST_CASE("one thread and two give the same bytes") {
    const EncodingPtr weight = random_matrix(200, 64);
    std::vector<Encoding> results;
    for (const int64_t threads : {1, 2}) {
      const calibration::ThreadLimit limit(threads);
      results.push_back(solve(weight, {.centroids = 16, .group_rows = 2}).encoding);
    }
    CHECK(same_bytes(results[0].codebook()->codes, results[1].codebook()->codes));
    CHECK(same_bytes(results[0].codebook()->codebooks, results[1].codebook()->codebooks));
  }

  TEST_CASE("centroids that f16 cannot hold are stored as f32, or refused") {
    const EncodingPtr weight = matrix(1, 4, {1e6F, -2e6F, 1, 5});
    CodebookConstraint half(*weight, {.centroids = 2});
    half.allocate();
    solve_nearest(*weight, half, [](int64_t) {});
    REQUIRE(half.widened() != nullptr);
    CHECK(half.widened()->plan().codebook()->centroid_dtype == DType::f32);
    CodebookConstraint strict(*weight, {.centroids = 2, .overflow = CodebookOptions::Overflow::refuse});
    strict.allocate();
    solve_nearest(*weight, strict, [](int64_t) {});
    CHECK_THROWS_AS(strict.widened(), Error);
  }

  TEST_CASE("groups that do not divide the rows are an error") {
    CHECK_THROWS_WITH_AS(CodebookConstraint(*random_matrix(10, 4), {.group_rows = 4}),
                         "its 10 rows cannot be cut into groups of 4", Error);
  }
}

}  // namespace
}  // namespace terse::passes
