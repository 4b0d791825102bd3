#include "passes/constraints/grid_fit.h"

#include <doctest/doctest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "tests/passes/models.h"

namespace terse::passes {
namespace {

using Numbers = std::vector<float>;

// The slow, obvious search that judges the fast one: one block, plain floats, the same order of roundings.
class Judge {
 public:
  Judge(const GridSpec& spec, Numbers block, Numbers importance)
      : spec_(spec), block_(std::move(block)), importance_(std::move(importance)) {
    low_ = std::min(0.0F, *std::min_element(block_.begin(), block_.end()));
    const float high = std::max(0.0F, *std::max_element(block_.begin(), block_.end()));
    peak_ = spec.asymmetric ? high - low_ : (high >= -low_ ? high : low_);
    if (std::fabs(peak_) < 1e-30F) {
      peak_ = 0;
    }
  }

  Grid run() const {
    const auto candidates = grid_candidates(spec_);
    const Grid plain = make(stored(peak_ * (1 / candidates[0].step)), zero_of(candidates[0]));
    Grid next = plain;
    float best_gain = -1;
    for (const GridCandidate& candidate : candidates) {
      const float zero = zero_of(candidate);
      const Sums sums = sum(inverse_peak() * candidate.step, zero, 0);
      const float scale = least_squares(sums);
      const float gain = scale * ((sums.wq + sums.wq) - scale * sums.qq);
      if (gain > best_gain) {
        best_gain = gain;
        next = make(scale, zero);
      }
    }
    Grid best = plain;
    float best_error = error(plain).error;
    for (int refit = 0; refit < 3; ++refit) {
      const Sums sums = error(next);
      if (sums.error < best_error) {
        best_error = sums.error;
        best = next;
      }
      next.scale = least_squares(sums);
    }
    return best;
  }

 private:
  struct Sums {
    float error = 0, wq = 0, qq = 0;
  };

  float top() const { return static_cast<float>((1 << spec_.bits) - 1); }
  float inverse_peak() const { return peak_ == 0 ? 0 : 1 / peak_; }
  Grid make(float scale, float zero) const { return {scale, static_cast<int>(zero), spec_.bits}; }

  float stored(float scale) const {
    if (spec_.scale_dtype == DType::bf16) {
      return to_float(to_bfloat16(scale));
    }
    return spec_.scale_dtype == DType::f16 ? to_float(to_half(std::clamp(scale, -65504.0F, 65504.0F))) : scale;
  }

  float zero_of(const GridCandidate& candidate) const {
    if (!spec_.asymmetric) {
      return static_cast<float>(1 << (spec_.bits - 1));
    }
    return std::clamp(std::nearbyint(-low_ * (inverse_peak() * top())) + candidate.shift, 0.0F, top());
  }

  float least_squares(const Sums& sums) const { return stored(sums.qq > 0 ? sums.wq / sums.qq : 0); }

  Sums error(const Grid& grid) const {
    return sum(grid.scale == 0 ? 0 : 1 / grid.scale, static_cast<float>(grid.zero), grid.scale);
  }

  Sums sum(float inverse, float zero, float scale) const {
    Sums sums;
    for (size_t i = 0; i < block_.size(); ++i) {
      const float w = block_[i], h = importance_.empty() ? 1.0F : importance_[i];
      const float scaled = w * inverse;
      const float q = std::clamp(std::nearbyint(scaled), -zero, top() - zero);
      const float product = q * scale;
      const float difference = w - product;
      const float weighted_difference = h * difference, weighted_q = h * q;
      const float squared = difference * weighted_difference, cross = w * weighted_q, square = q * weighted_q;
      sums.error += squared;
      sums.wq += cross;
      sums.qq += square;
    }
    return sums;
  }

  const GridSpec& spec_;
  Numbers block_, importance_;
  float low_ = 0, peak_ = 0;
};

struct Shape16 {
  std::string_view name;
  Numbers values;  // [columns][16]
};

/// 16 blocks of one kind of numbers.
std::vector<Shape16> all_data(int64_t columns) {
  const auto count = static_cast<size_t>(columns * kGridLanes);
  Numbers flat(count, 0.37F), plateaus(count), ramp(count), offset(count), tiny(count), mixed(count);
  const Numbers normal = normal_numbers(static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const size_t column = i / kGridLanes, lane = i % kGridLanes;
    plateaus[i] = (column % 3 == 0 ? -0.5F : 0.25F) * static_cast<float>(lane + 1);
    ramp[i] = static_cast<float>(column) * 0.01F - 0.1F;
    offset[i] = normal[i] + 5;
    tiny[i] = normal[i] * std::ldexp(1.0F, -static_cast<int>(lane) * 9);
    mixed[i] = normal[i] * std::ldexp(1.0F, static_cast<int>(lane) * 8);
  }
  return {{"zero", Numbers(count)}, {"flat", flat},     {"plateaus", plateaus}, {"ramp", ramp},
          {"normal", normal},       {"offset", offset}, {"tiny", tiny},         {"huge", mixed}};
}

std::vector<LaneColumn> columns_of(const Numbers& values) {
  std::vector<LaneColumn> columns(values.size() / kGridLanes);
  for (size_t i = 0; i < values.size(); ++i) {
    columns[i / kGridLanes].values[i % kGridLanes] = values[i];
  }
  return columns;
}

Numbers lane_of(const Numbers& values, int64_t lane) {
  Numbers block;
  for (size_t i = static_cast<size_t>(lane); i < values.size(); i += kGridLanes) {
    block.push_back(values[i]);
  }
  return block;
}

double squared_error(Numbers block, const Grid& grid) {
  const Numbers before = block;
  std::vector<uint8_t> codes(block.size());
  snap_to_grid(block, grid, codes.data());
  double sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    sum += std::pow(static_cast<double>(before[i]) - block[i], 2);
  }
  return sum;
}

TEST_SUITE("passes/constraints/grid_fit") {
  TEST_CASE("every instruction set finds the grids of the plain search, to the bit") {
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
      hwy::SetSupportedTargetsForTest(target);
      CAPTURE(hwy::TargetName(target));
      for (const int bits : {2, 4, 8}) {
        for (const bool asymmetric : {false, true}) {
          for (const DType scale : {DType::f16, DType::bf16, DType::f32}) {
            for (const bool weighted : {false, true}) {
              const GridSpec spec{bits, asymmetric, scale};
              for (const Shape16& data : all_data(33)) {
                const Numbers importance = weighted
                                               ? Numbers{0.5F, 2, 1, 7, 0, 1,    1, 3, 9, 1, 2, 0.5F, 2, 1, 7, 0, 1,
                                                         1,    3, 9, 1, 2, 0.5F, 2, 1, 7, 0, 1, 1,    3, 9, 1, 2}
                                               : Numbers{};
                const GridFits fits = fit_grids(spec, columns_of(data.values), importance);
                CAPTURE(bits);
                CAPTURE(asymmetric);
                CAPTURE(data.name);
                for (int64_t lane = 0; lane < kGridLanes; ++lane) {
                  const auto i = static_cast<size_t>(lane);
                  const Grid expected = Judge(spec, lane_of(data.values, lane), importance).run();
                  REQUIRE(std::bit_cast<uint32_t>(fits.scale[i]) == std::bit_cast<uint32_t>(expected.scale));
                  REQUIRE(fits.zero[i] == static_cast<float>(expected.zero));
                }
              }
            }
          }
        }
      }
    }
    hwy::SetSupportedTargetsForTest(0);
  }

  TEST_CASE("the search is never worse than plain rounding") {
    for (const int bits : {2, 4, 8}) {
      for (const Shape16& data : all_data(32)) {
        CAPTURE(bits);
        CAPTURE(data.name);
        const GridFits fits = fit_grids({.bits = bits}, columns_of(data.values), {});
        for (int64_t lane = 0; lane < kGridLanes; ++lane) {
          const Numbers block = lane_of(data.values, lane);
          const int half = 1 << (bits - 1);
          const float peak = *std::max_element(block.begin(), block.end(),
                                               [](float a, float b) { return std::fabs(a) < std::fabs(b); });
          const float plain = to_float(to_half(std::clamp(peak / static_cast<float>(-half), -65504.0F, 65504.0F)));
          const double plain_error = squared_error(block, {plain, half, bits});
          CHECK(squared_error(block, {fits.scale[static_cast<size_t>(lane)], half, bits}) <= plain_error * 1.000001);
        }
      }
    }
  }

  TEST_CASE("numbers on a grid are found again, the peak on either side") {
    for (const float scale : {0.0125F, -0.0125F, 3.0F}) {
      const float half_scale = to_float(to_half(scale));
      Numbers values(32 * kGridLanes);
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = half_scale * (static_cast<float>((i / kGridLanes * 7 + i % kGridLanes) % 16) - 8);
      }
      const GridFits fits = fit_grids({.bits = 4}, columns_of(values), {});
      for (const float found : fits.scale) {
        CHECK(found == half_scale);
      }
    }
  }

  TEST_CASE("a block of zeros has scale zero and codes of zero") {
    const GridFits fits = fit_grids({.bits = 4}, columns_of(Numbers(32 * kGridLanes)), {});
    CHECK(fits.scale[0] == 0);
    Numbers block(5, 0.0F);
    std::vector<uint8_t> codes(5);
    snap_to_grid(block, {0, 8, 4}, codes.data());
    CHECK(codes == std::vector<uint8_t>(5, 8));
    CHECK(block == Numbers(5, 0.0F));
  }

  TEST_CASE("snapping rounds halves to even and stops at the ends of the grid") {
    Numbers block = {0.5F, 1.5F, -0.5F, 100, -100, 0};
    std::vector<uint8_t> codes(block.size());
    snap_to_grid(block, {1, 8, 4}, codes.data());
    CHECK(codes == std::vector<uint8_t>{8, 10, 8, 15, 0, 8});
    CHECK(block == Numbers{0, 2, 0, 7, -8, 0});
  }
}

}  // namespace
}  // namespace terse::passes
