#include "calibration/metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

namespace terse::calibration {
namespace {

TEST_SUITE("calibration/metrics") {
  TEST_CASE("a quantile is the value of nearest rank") {
    std::vector<double> values(200);
    std::iota(values.rbegin(), values.rend(), 1.0);  // 1 to 200
    CHECK(quantile(values, 0.5) == 100);
    CHECK(quantile(values, 0.99) == 198);
    CHECK(quantile(values, 1) == 200);
    CHECK(quantile(values, 0) == 1);
    std::vector<double> one = {7};
    CHECK(quantile(one, 0.99) == 7);
  }

  TEST_CASE("the worst percent is the mean of the lowest hundredth, at least of one") {
    std::vector<double> values(200);
    std::iota(values.rbegin(), values.rend(), 1.0);
    CHECK(worst_percent(values) == 1.5);
    std::vector<double> few = {3, 2, 5};
    CHECK(worst_percent(few) == 2);
  }

  TEST_CASE("cosines of equal, opposite, perpendicular and zero vectors") {
    const std::vector<float> a = {1, 2}, opposite = {-2, -4}, across = {-2, 1}, zero = {0, 0};
    CHECK(cosine(a, a) == doctest::Approx(1));
    CHECK(cosine(a, opposite) == doctest::Approx(-1));
    CHECK(cosine(a, across) == doctest::Approx(0));
    CHECK(cosine(zero, zero) == 1);
    CHECK(cosine(a, zero) == 0);
  }

  TEST_CASE("the signal-to-noise ratio counts decibels and stays finite") {
    SignalNoise ratio;
    ratio.add(std::vector<float>{10, 0}, std::vector<float>{9, 0});
    CHECK(ratio.db() == doctest::Approx(20));
    SignalNoise equal;
    equal.add(std::vector<float>{1, INFINITY}, std::vector<float>{1, INFINITY});
    CHECK(equal.db() == kMaxSnrDb);
    SignalNoise broken;
    broken.add(std::vector<float>{1}, std::vector<float>{NAN});
    CHECK(std::isnan(broken.db()));
    SignalNoise noise_only;
    noise_only.add(std::vector<float>{0}, std::vector<float>{1});
    CHECK(noise_only.db() == -kMaxSnrDb);
  }
}

}  // namespace
}  // namespace terse::calibration
