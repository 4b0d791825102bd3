#include "passes/constraints/kmeans.h"

#include <algorithm>
#include <cmath>

namespace terse::passes {
namespace {

/// Places between points, from 0 (before the first) to the number of points.
using Places = std::vector<int64_t>;

struct Range {
  int64_t first, last;
};

/// Cuts points into intervals. The least error is the largest sum of (sum of an interval)^2 / (weight of the interval),
/// since the squares of all numbers add up to a constant.
class Intervals {
 public:
  Intervals(std::span<const WeightedPoint> points, int64_t count)
      : size_(static_cast<int64_t>(points.size())),
        sums_(points.size() + 1),
        weights_(points.size() + 1),
        gains_(points.size() + 1, -INFINITY),
        begins_(static_cast<size_t>(count) * (points.size() + 1)) {
    for (size_t i = 0; i < points.size(); ++i) {
      sums_[i + 1] = sums_[i] + points[i].value * points[i].weight;
      weights_[i + 1] = weights_[i] + points[i].weight;
    }
  }

  /// The ends of the best intervals of those that end in the ranges given for each.
  Places cut(std::span<const Range> ends) {
    for (int64_t end = ends[0].first; end <= ends[0].last; ++end) {
      gains_[static_cast<size_t>(end)] = gain(0, end);
    }
    for (size_t layer = 1; layer < ends.size(); ++layer) {
      previous_.assign(gains_.size(), -INFINITY);
      std::swap(previous_, gains_);
      fill(static_cast<int64_t>(layer), ends[layer], ends[layer - 1]);
    }
    Places places(ends.size(), size_);
    for (size_t layer = ends.size() - 1; layer > 0; --layer) {
      places[layer - 1] = begin(static_cast<int64_t>(layer), places[layer]);
    }
    return places;
  }

  std::vector<double> means(const Places& ends) const {
    std::vector<double> means;
    int64_t begin = 0;
    for (const int64_t end : ends) {
      means.push_back(difference(sums_, begin, end) / difference(weights_, begin, end));
      begin = end;
    }
    return means;
  }

 private:
  static double difference(const std::vector<double>& sums, int64_t begin, int64_t end) {
    return sums[static_cast<size_t>(end)] - sums[static_cast<size_t>(begin)];
  }

  double gain(int64_t begin, int64_t end) const {
    const double sum = difference(sums_, begin, end);
    return sum * sum / difference(weights_, begin, end);
  }

  int32_t& begin(int64_t layer, int64_t end) { return begins_[static_cast<size_t>(layer * (size_ + 1) + end)]; }

  /// The best begin of the last of `layer + 1` intervals that cover the points before `end`, for all ends of a range.
  /// Best begins grow with the end: the middle's bounds both halves'. As deep as log2 of the points.
  void fill(int64_t layer, Range ends, Range begins) {
    if (ends.first > ends.last) {
      return;
    }
    const int64_t end = (ends.first + ends.last) / 2;
    const int64_t last = std::min(begins.last, end - 1);
    double best_gain = -INFINITY;
    int64_t best = begins.first;
    for (int64_t begin = begins.first; begin <= last; ++begin) {
      const double total = previous_[static_cast<size_t>(begin)] + gain(begin, end);
      if (total > best_gain) {
        best_gain = total;
        best = begin;
      }
    }
    gains_[static_cast<size_t>(end)] = best_gain;
    begin(layer, end) = static_cast<int32_t>(best);
    fill(layer, {ends.first, end - 1}, {begins.first, best});
    fill(layer, {end + 1, ends.last}, {best, begins.last});
  }

  int64_t size_;
  std::vector<double> sums_, weights_;    // of the points before each place
  std::vector<double> gains_, previous_;  // of this layer and the one before, by end; -infinity: no way to end there
  std::vector<int32_t> begins_;           // [layer][end]
};

constexpr int64_t kExactPoints = 256, kExactPointsPerCluster = 8;
constexpr size_t kMergedPoints = 4;
constexpr double kMergedSpans = 128;  // of all points' range: what stands alone in a tail is not merged
constexpr int64_t kReach = 8;         // of an end that was found between merged points: further than to its neighbours

/// Runs of points as one each: neighbours of a small span.
struct Merged {
  std::vector<WeightedPoint> points;
  Places places;  ///< where each begins, and at last the end
};

Merged merge(std::span<const WeightedPoint> points) {
  const double span = (points.back().value - points.front().value) / kMergedSpans;
  Merged merged;
  for (size_t begin = 0; begin < points.size();) {
    merged.places.push_back(static_cast<int64_t>(begin));
    const double first = points[begin].value;
    WeightedPoint sum{0, 0};
    const size_t end = std::min(points.size(), begin + kMergedPoints);
    for (; begin < end && points[begin].value - first <= span; ++begin) {
      sum.value += points[begin].value * points[begin].weight;
      sum.weight += points[begin].weight;
    }
    merged.points.push_back({sum.value / sum.weight, sum.weight});
  }
  merged.places.push_back(static_cast<int64_t>(points.size()));
  return merged;
}

/// Any place that leaves a point for each interval.
std::vector<Range> everywhere(int64_t size, int64_t count) {
  std::vector<Range> ends;
  for (int64_t layer = 0; layer < count; ++layer) {
    ends.push_back({layer + 1, size - (count - 1 - layer)});
  }
  ends.back().first = size;
  return ends;
}

std::vector<Range> around(const Places& places, int64_t size) {
  std::vector<Range> ends = everywhere(size, static_cast<int64_t>(places.size()));
  for (size_t layer = 0; layer + 1 < places.size(); ++layer) {
    ends[layer].first = std::max(ends[layer].first, places[layer] - kReach);
    ends[layer].last = std::min(ends[layer].last, places[layer] + kReach);
  }
  return ends;
}

/// As deep as the logarithm of the points.
Places best_ends(std::span<const WeightedPoint> points, Intervals& intervals, int64_t count) {
  const auto size = static_cast<int64_t>(points.size());
  if (size <= std::max(kExactPoints, kExactPointsPerCluster * count)) {
    return intervals.cut(everywhere(size, count));
  }
  const Merged merged = merge(points);
  Intervals coarse(merged.points, count);
  Places places = best_ends(merged.points, coarse, count);
  for (int64_t& place : places) {
    place = merged.places[static_cast<size_t>(place)];
  }
  return intervals.cut(around(places, size));
}

}  // namespace

std::vector<double> cluster_means(std::span<const WeightedPoint> points, int64_t count) {
  if (static_cast<int64_t>(points.size()) > count) {
    Intervals intervals(points, count);
    return intervals.means(best_ends(points, intervals, count));
  }
  std::vector<double> means(static_cast<size_t>(count), points.back().value);
  std::transform(points.begin(), points.end(), means.begin(), [](const WeightedPoint& point) { return point.value; });
  return means;
}

}  // namespace terse::passes
