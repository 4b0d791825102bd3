#include "passes/solvers/correction.h"

#include <doctest/doctest.h>

#include <cmath>
#include <span>

#include "calibration/parallel.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

constexpr int64_t kColumns = 24;

/// Inputs of now, and those of the original model: partly a matrix times those of now, partly noise.
struct Inputs {
  std::vector<float> now, original;
};

Inputs drifted_inputs(int64_t rows, uint32_t seed, float noise) {
  Inputs inputs{.now = normal_numbers(rows * kColumns, seed), .original = {}};
  const auto shift = normal_numbers(kColumns * kColumns, 5), rest = normal_numbers(rows * kColumns, seed + 100);
  inputs.original = inputs.now;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < kColumns; ++i) {
      float& x = inputs.original[static_cast<size_t>(row * kColumns + i)];
      x += noise * rest[static_cast<size_t>(row * kColumns + i)];
      for (int64_t j = 0; j < kColumns; ++j) {
        x += 0.05F * shift[static_cast<size_t>(i * kColumns + j)] * inputs.now[static_cast<size_t>(row * kColumns + j)];
      }
    }
  }
  return inputs;
}

struct Sums {
  calibration::Gram gram{kColumns};
  calibration::Drift drift{kColumns};
};

Sums sums_of(const Inputs& inputs) {
  Sums sums;
  if (!inputs.now.empty()) {
    sums.gram.add(inputs.now, {});
    sums.drift.add(inputs.now, inputs.original, {});
  }
  sums.gram.finish();
  sums.drift.finish();
  return sums;
}

calibration::Statistics statistics_of(const Inputs& solving, const Inputs& held_out) {
  Sums solves = sums_of(solving), judges = sums_of(held_out);
  return {.solving = std::move(solves.gram),
          .held_out = std::move(judges.gram),
          .solving_drift = std::move(solves.drift),
          .held_out_drift = std::move(judges.drift)};
}

std::vector<float> numbers_of(const Encoding& weight) {
  const Tensor numbers = decode(weight);
  return {numbers.values<float>().begin(), numbers.values<float>().end()};
}

/// Sum of |x0 w - x v|^2 over rows.
double distance(const Inputs& inputs, const Encoding& w, const Encoding& v) {
  const auto before = numbers_of(w), after = numbers_of(v);
  double sum = 0;
  for (size_t row = 0; row < inputs.now.size(); row += kColumns) {
    for (size_t out = 0; out < before.size(); out += kColumns) {
      double difference = 0;
      for (size_t i = 0; i < kColumns; ++i) {
        difference += static_cast<double>(inputs.original[row + i]) * static_cast<double>(before[out + i]) -
                      static_cast<double>(inputs.now[row + i]) * static_cast<double>(after[out + i]);
      }
      sum += difference * difference;
    }
  }
  return sum;
}

TEST_SUITE("passes/solvers/correction") {
  TEST_CASE("moves a weight to where the gradient of the outputs' error is, but for damping and strength, zero") {
    const Inputs inputs = drifted_inputs(600, 1, 0.1F);
    const auto statistics = statistics_of(inputs, drifted_inputs(100, 2, 0.1F));
    const ObsFactor factor(statistics.solving);
    const Correction correction(statistics, factor);
    const auto weight = random_matrix(6, kColumns);
    const auto before = numbers_of(*weight), after = numbers_of(correction.apply(*weight));
    double mean = 0;
    for (int64_t i = 0; i < kColumns; ++i) {
      mean += static_cast<double>(statistics.solving.at(i, i)) / kColumns;
    }
    // (V - W) (H + damping) = strength * W D^T
    for (int64_t row = 0; row < 6; ++row) {
      for (int64_t i = 0; i < kColumns; ++i) {
        double left = 0, right = 0;
        for (int64_t j = 0; j < kColumns; ++j) {
          const auto at = static_cast<size_t>(row * kColumns + j);
          const double h =
              static_cast<double>(statistics.solving.at(j, i)) +
              (i == j ? factor.damping() * mean + 0.05 * static_cast<double>(statistics.solving.at(i, i)) : 0);
          left += (static_cast<double>(after[at]) - static_cast<double>(before[at])) * h;
          right += static_cast<double>(before[at]) *
                   static_cast<double>(statistics.solving_drift.matrix()[static_cast<size_t>(i * kColumns + j)]);
        }
        CHECK(left == doctest::Approx(correction.strength() * right).epsilon(1e-3));
      }
    }
  }

  TEST_CASE("outputs come nearer to the original's, on samples of their own too") {
    const Inputs inputs = drifted_inputs(600, 1, 0.1F), others = drifted_inputs(100, 2, 0.1F);
    const auto statistics = statistics_of(inputs, others);
    const ObsFactor factor(statistics.solving);
    const auto weight = random_matrix(6, kColumns);
    const Encoding corrected = Correction(statistics, factor).apply(*weight);
    CHECK(distance(inputs, *weight, corrected) < 0.8 * distance(inputs, *weight, *weight));
    CHECK(distance(others, *weight, corrected) < 0.8 * distance(others, *weight, *weight));
  }

  TEST_CASE("does little where what was learned does not hold for other samples") {
    // Thirty rows of noise explain 24 columns well, and nothing else.
    const Inputs few = drifted_inputs(30, 1, 1.0F);
    const auto own = statistics_of(few, few);
    const ObsFactor factor(own.solving);
    const double alone = Correction(own, factor).strength();
    CHECK(alone > 0.6);
    CHECK(Correction(statistics_of(few, drifted_inputs(400, 2, 1.0F)), factor).strength() < 0.3 * alone);
  }

  TEST_CASE("gives the same bits on one thread and on several") {
    constexpr int64_t kSize = 320;  // more than one tile, and many loops in little time
    const auto rows = normal_numbers(64 * kSize, 1), originals = normal_numbers(64 * kSize, 2);
    calibration::Statistics statistics{.solving = calibration::Gram(kSize),
                                       .held_out = calibration::Gram(kSize),
                                       .solving_drift = calibration::Drift(kSize),
                                       .held_out_drift = calibration::Drift(kSize)};
    for (calibration::Gram* gram : {&statistics.solving, &statistics.held_out}) {
      gram->add(rows, {});
      gram->finish();
    }
    for (calibration::Drift* drift : {&statistics.solving_drift, &statistics.held_out_drift}) {
      drift->add(rows, originals, {});
      drift->finish();
    }
    const ObsFactor factor(statistics.solving);
    const Encoding weight = *make_dense(Tensor::view(
        DType::f32, {2, kSize}, std::as_bytes(std::span(rows).first(static_cast<size_t>(2 * kSize))), nullptr));
    const auto corrected = [&](int64_t threads) {
      const calibration::ThreadLimit limit(threads);
      return numbers_of(Correction(statistics, factor).apply(weight));
    };
    const std::vector<float> expected = corrected(1);
    CHECK(expected != numbers_of(weight));
    for (int i = 0; i < 100; ++i) {
      CAPTURE(i);
      CHECK(corrected(4) == expected);
    }
  }
}

}  // namespace
}  // namespace terse::passes
