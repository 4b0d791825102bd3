#include "calibration/divergence.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace terse::calibration {
namespace {

std::vector<long double> log_softmax(const std::vector<float>& row) {
  long double sum = 0, most = *std::max_element(row.begin(), row.end());
  for (const float x : row) {
    sum += std::exp(static_cast<long double>(x) - most);
  }
  std::vector<long double> result;
  for (const float x : row) {
    result.push_back(static_cast<long double>(x) - most - std::log(sum));
  }
  return result;
}

/// By the definition, in extended precision.
double slow_kl(const std::vector<float>& reference, const std::vector<float>& tested) {
  const auto p = log_softmax(reference), q = log_softmax(tested);
  long double kl = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    kl += std::isinf(p[i]) ? 0 : std::exp(p[i]) * (p[i] - q[i]);
  }
  return static_cast<double>(kl);
}

std::vector<float> random_row(std::mt19937& engine, size_t size, float scale) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> row(size);
  std::generate(row.begin(), row.end(), [&] { return normal(engine); });
  return row;
}

TEST_SUITE("calibration/divergence") {
  TEST_CASE("the fast divergence equals the definition, at every length and scale") {
    std::mt19937 engine(1);
    for (const size_t size : std::initializer_list<size_t>{1, 2, 7, 16, 33, 1000}) {
      for (const float scale : {0.001F, 1.0F, 30.0F}) {
        CAPTURE(size);
        CAPTURE(scale);
        const auto reference = random_row(engine, size, scale);
        const auto tested = random_row(engine, size, scale);
        const double slow = slow_kl(reference, tested);
        CHECK(divergence(reference, tested).kl == doctest::Approx(slow).epsilon(1e-9));
        CHECK(divergence(reference, reference).kl < 1e-14);
        CHECK(divergence(reference, reference).same_top);
        CHECK(cross_entropy(reference, 0) == doctest::Approx(static_cast<double>(-log_softmax(reference)[0])));
      }
    }
  }

  TEST_CASE("large logits do not overflow, and a common shift changes nothing") {
    const std::vector<float> row = {1000, 1001, 999}, shifted = {-3e4F, -3e4F + 1, -3e4F - 1};
    CHECK(log_sum_exp(row) == doctest::Approx(1001 + std::log(1 + std::exp(-1.0) + std::exp(-2.0))));
    CHECK(divergence(row, shifted).kl < 1e-12);
  }

  TEST_CASE(
      "tokens that the reference rules out do not count; those that only the other rules out are infinitely far") {
    const float none = -INFINITY;
    std::vector<float> reference(20, 1), tested(20, 1);
    reference[3] = reference[19] = none;
    CHECK(divergence(reference, tested).kl == doctest::Approx(std::log(20.0 / 18.0)));
    CHECK(std::isinf(divergence(tested, reference).kl));
    tested[3] = tested[19] = none;
    CHECK(divergence(reference, tested).kl < 1e-14);
  }

  TEST_CASE("NaN among the logits is not lost") {
    const std::vector<float> good(40, 1);
    for (const size_t at : std::initializer_list<size_t>{0, 5, 39}) {
      std::vector<float> bad = good;
      bad[at] = NAN;
      CAPTURE(at);
      CHECK(std::isnan(divergence(good, bad).kl));
      CHECK(std::isnan(divergence(bad, good).kl));
      CHECK(std::isnan(cross_entropy(bad, 1)));
    }
  }

  TEST_CASE("of equal logits the first is the largest") {
    CHECK(arg_max(std::vector<float>{1, 3, 3, 2}) == 1);
    std::vector<float> row(100, -5);
    row[98] = row[99] = 2;
    CHECK(arg_max(row) == 98);
  }
}

}  // namespace
}  // namespace terse::calibration
