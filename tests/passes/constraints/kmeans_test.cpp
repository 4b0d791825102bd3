#include "passes/constraints/kmeans.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace terse::passes {
namespace {

using Points = std::vector<WeightedPoint>;

double interval_error(const Points& points, size_t begin, size_t end) {
  double sum = 0, weight = 0, error = 0;
  for (size_t i = begin; i < end; ++i) {
    sum += points[i].value * points[i].weight;
    weight += points[i].weight;
  }
  for (size_t i = begin; i < end; ++i) {
    error += points[i].weight * std::pow(points[i].value - sum / weight, 2);
  }
  return error;
}

/// The judge: tries all ways to cut the points into intervals.
double least_error(const Points& points, size_t begin, int64_t count) {
  if (count == 1) {
    return interval_error(points, begin, points.size());
  }
  double best = INFINITY;
  for (size_t end = begin + 1; end + static_cast<size_t>(count) - 1 <= points.size(); ++end) {
    best = std::min(best, interval_error(points, begin, end) + least_error(points, end, count - 1));
  }
  return best;
}

/// The same by dynamic programming without a shortcut, for many points.
double least_error_by_layers(const Points& points, int64_t count) {
  std::vector<double> sum(1), weight(1), squares(1);
  for (const WeightedPoint& p : points) {
    sum.push_back(sum.back() + p.weight * p.value);
    weight.push_back(weight.back() + p.weight);
    squares.push_back(squares.back() + p.weight * p.value * p.value);
  }
  std::vector<double> errors(points.size() + 1, INFINITY);
  errors[0] = 0;
  for (int64_t layer = 0; layer < count; ++layer) {
    std::vector<double> next(points.size() + 1, INFINITY);
    for (size_t end = 1; end <= points.size(); ++end) {
      for (size_t begin = 0; begin < end; ++begin) {
        const double s = sum[end] - sum[begin];
        const double error = squares[end] - squares[begin] - s * s / (weight[end] - weight[begin]);
        next[end] = std::min(next[end], errors[begin] + error);
      }
    }
    errors = next;
  }
  return errors.back();
}

double error(const Points& points, const std::vector<double>& means) {
  double sum = 0;
  for (const WeightedPoint& point : points) {
    double nearest = INFINITY;
    for (const double mean : means) {
      nearest = std::min(nearest, std::pow(point.value - mean, 2));
    }
    sum += point.weight * nearest;
  }
  return sum;
}

Points random_points(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  Points points(size);
  for (WeightedPoint& point : points) {
    const double x = static_cast<double>(random()) / 4294967296.0 - 0.5;
    point = {x * x * x, 1 + static_cast<double>(random() % 5)};
  }
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  return points;
}

TEST_SUITE("passes/constraints/kmeans") {
  TEST_CASE("the clusters are as good as the best of all cuts") {
    for (uint32_t seed = 1; seed <= 20; ++seed) {
      for (int64_t count = 1; count <= 5; ++count) {
        CAPTURE(seed);
        CAPTURE(count);
        const Points points = random_points(12, seed);
        const auto means = cluster_means(points, count);
        CHECK(std::is_sorted(means.begin(), means.end()));
        CHECK(error(points, means) == doctest::Approx(least_error(points, 0, count)).epsilon(1e-9));
      }
    }
  }

  TEST_CASE("clusters of many points are next to as good as the best of all cuts") {
    for (const size_t size : {size_t{300}, size_t{576}, size_t{1500}}) {
      for (uint32_t seed = 1; seed <= 2; ++seed) {
        CAPTURE(size);
        CAPTURE(seed);
        const Points points = random_points(size, seed);
        CHECK(error(points, cluster_means(points, 16)) <= 1.001 * least_error_by_layers(points, 16));
      }
    }
  }

  TEST_CASE("simple clusters are found exactly") {
    const Points points = {{-4}, {-4}, {1}, {2}, {3}, {100}};
    CHECK(cluster_means(points, 3) == std::vector<double>{-4, 2, 100});
    CHECK(cluster_means(points, 1) == std::vector<double>{98.0 / 6});
  }

  TEST_CASE("fewer points than clusters are their own means") {
    CHECK(cluster_means(Points{{1}, {5}}, 4) == std::vector<double>{1, 5, 5, 5});
    CHECK(cluster_means(Points{{1}, {5}}, 2) == std::vector<double>{1, 5});
  }

  TEST_CASE("more clusters than different numbers cost nothing") {
    const Points points = {{2}, {2}, {2}, {2}, {3}, {3}, {7}, {7}};
    CHECK(error(points, cluster_means(points, 4)) == 0);
  }
}

}  // namespace
}  // namespace terse::passes
