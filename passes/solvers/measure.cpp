#include "passes/solvers/measure.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "formats/error.h"

namespace terse::passes {
namespace {

constexpr size_t kLanes = 16;  // sums side by side, so that compilers use vectors of any width for them
constexpr size_t kRun = 4096;  // numbers summed in float: keeps rounding errors near 1e-6

struct Lanes {
  std::array<float, kLanes> signal{}, noise{};
  std::array<int32_t, kLanes> zeros{};
};

void add(const float* before, const float* after, size_t count, Lanes& sums) {
  for (size_t i = 0; i < count; ++i) {
    const float difference = before[i] - after[i];
    sums.signal[i] += before[i] * before[i];
    sums.noise[i] += difference * difference;
    sums.zeros[i] += after[i] == 0 ? 1 : 0;
  }
}

/// Numbers whose squares leave the range of float.
Solution measure_in_double(std::span<const float> before, std::span<const float> after) {
  Solution solution;
  for (size_t i = 0; i < before.size(); ++i) {
    if (!std::isfinite(before[i])) {
      throw Error(Kind::input, "holds a number that is not finite");
    }
    const double w = before[i], difference = w - after[i];
    solution.signal += w * w;
    solution.noise += difference * difference;
    solution.zeros += after[i] == 0 ? 1 : 0;
  }
  return solution;
}

Solution measure_run(std::span<const float> before, std::span<const float> after) {
  Lanes sums;
  const size_t whole = before.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    add(before.data() + i, after.data() + i, kLanes, sums);
  }
  add(before.data() + whole, after.data() + whole, before.size() - whole, sums);
  Solution solution;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    solution.signal += static_cast<double>(sums.signal[lane]);
    solution.noise += static_cast<double>(sums.noise[lane]);
    solution.zeros += sums.zeros[lane];
  }
  return std::isfinite(solution.signal + solution.noise) ? solution : measure_in_double(before, after);
}

}  // namespace

Solution measure(std::span<const float> before, std::span<const float> after) {
  assert(before.size() == after.size());
  Solution total;
  for (size_t begin = 0; begin < before.size(); begin += kRun) {
    const size_t count = std::min(kRun, before.size() - begin);
    const Solution run = measure_run(before.subspan(begin, count), after.subspan(begin, count));
    total.signal += run.signal;
    total.noise += run.noise;
    total.zeros += run.zeros;
  }
  return total;
}

}  // namespace terse::passes
