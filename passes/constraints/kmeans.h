#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse::passes {

/// A number that occurs `weight` times.
struct WeightedPoint {
  double value = 0, weight = 1;
};

/// The means of the `count` clusters with the least sum(weight * (value - mean)^2), ascending: the exact optimum for up
/// to 256 points (or 8 a cluster). Of more points, close neighbours are clustered as one first, then the
/// clusters' ends are moved by up to 8 points to where they are best: within 0.1 % of the optimum wherever it was
/// tried. Fewer points than clusters: each point is its own mean, the last one repeated. Points:  ascending by value,
/// at least one, weights > 0. Source:  clusters of numbers on a line are intervals, and their best begins grow with
/// their ends: dynamic programming
///          with divide and conquer over the monotone choices (Grønlund et al. 2017, arXiv:1701.07204, section 2).
/// Cost:    O(count * 256 * 8 + points) time, count * points * 4 bytes.
std::vector<double> cluster_means(std::span<const WeightedPoint> points, int64_t count);

}  // namespace terse::passes
