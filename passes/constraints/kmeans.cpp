#include "passes/constraints/kmeans.h"

#include <algorithm>

namespace terse::passes {
namespace {

/// Finds the intervals. The least error is the largest sum of (sum of an interval)^2 / (weight of the interval), since
/// the squares of all numbers add up to a constant.
class Intervals {
 public:
  Intervals(std::span<const WeightedPoint> points, int64_t count)
      : size_(static_cast<int64_t>(points.size())),
        count_(count),
        sums_(points.size() + 1),
        weights_(points.size() + 1),
        begins_(static_cast<size_t>(count) * (points.size() + 1)) {
    for (size_t i = 0; i < points.size(); ++i) {
      sums_[i + 1] = sums_[i] + points[i].value * points[i].weight;
      weights_[i + 1] = weights_[i] + points[i].weight;
    }
  }

  std::vector<double> means() {
    gains_.resize(sums_.size());
    for (int64_t end = 1; end <= size_; ++end) {
      gains_[static_cast<size_t>(end)] = gain(0, end);
    }
    for (int64_t layer = 1; layer < count_; ++layer) {
      previous_ = gains_;
      fill(layer, {layer + 1, size_}, {layer, size_ - 1});
    }
    std::vector<double> means(static_cast<size_t>(count_));
    int64_t end = size_;
    for (int64_t layer = count_ - 1; layer >= 0; --layer) {
      const int64_t begin = layer == 0 ? 0 : this->begin(layer, end);
      means[static_cast<size_t>(layer)] = difference(sums_, begin, end) / difference(weights_, begin, end);
      end = begin;
    }
    return means;
  }

 private:
  struct Range {
    int64_t first, last;
  };

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
    double best_gain = -1;
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

  int64_t size_, count_;
  std::vector<double> sums_, weights_;  // of the points before each
  std::vector<double> gains_, previous_;
  std::vector<int32_t> begins_;  // [layer][end]
};

}  // namespace

std::vector<double> cluster_means(std::span<const WeightedPoint> points, int64_t count) {
  if (static_cast<int64_t>(points.size()) > count) {
    return Intervals(points, count).means();
  }
  std::vector<double> means(static_cast<size_t>(count), points.back().value);
  std::transform(points.begin(), points.end(), means.begin(), [](const WeightedPoint& point) { return point.value; });
  return means;
}

}  // namespace terse::passes
