#include "calibration/drift.h"

#include <doctest/doctest.h>

#include <cstdint>

namespace terse::calibration {
namespace {

/// Small whole numbers, whose products and sums are exact.
std::vector<float> whole_numbers(size_t count, uint32_t seed) {
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    seed = seed * 1664525 + 1013904223;
    number = static_cast<float>(static_cast<int>(seed >> 29) - 4);
  }
  return numbers;
}

TEST_SUITE("calibration/drift") {
  TEST_CASE("the sum over rows of weight * x^T (x0 - x), whatever pieces they come in") {
    constexpr size_t kColumns = 5, kRows = 1100;  // more than two panels
    const auto now = whole_numbers(kRows * kColumns, 1), original = whole_numbers(kRows * kColumns, 2);
    std::vector<float> weights(kRows, 1.0F);
    for (size_t row = 0; row < kRows; row += 3) {
      weights[row] = 4;  // its root is exact too
    }
    std::vector<float> expected(kColumns * kColumns);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t i = 0; i < kColumns; ++i) {
        for (size_t j = 0; j < kColumns; ++j) {
          const size_t at = row * kColumns;
          expected[i * kColumns + j] += weights[row] * now[at + i] * (original[at + j] - now[at + j]);
        }
      }
    }
    for (const size_t piece : {size_t{7}, size_t{550}, kRows}) {
      CAPTURE(piece);
      Drift drift(kColumns);
      CHECK(drift.empty());
      for (size_t row = 0; row < kRows; row += piece) {
        const size_t count = std::min(piece, kRows - row), at = row * kColumns;
        drift.add(std::span(now).subspan(at, count * kColumns), std::span(original).subspan(at, count * kColumns),
                  std::span(weights).subspan(row, count));
      }
      drift.finish();
      CHECK(!drift.empty());
      CHECK(std::vector<float>(drift.matrix().begin(), drift.matrix().end()) == expected);
    }
  }
}

}  // namespace
}  // namespace terse::calibration
