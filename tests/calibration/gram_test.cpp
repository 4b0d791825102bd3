#include "calibration/gram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

std::vector<float> random_floats(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<size_t>(count));
  std::ranges::generate(out, [&] { return normal(generator); });
  return out;
}

Gram gram_of(int64_t columns, const std::vector<float>& rows, const std::vector<float>& weights, int64_t pieces) {
  Gram gram(columns);
  const auto count = static_cast<int64_t>(rows.size()) / columns;
  for (int64_t begin = 0; begin < count; begin += (count + pieces - 1) / pieces) {
    const int64_t end = std::min(count, begin + (count + pieces - 1) / pieces);
    const std::span<const float> part(rows.data() + begin * columns, static_cast<size_t>((end - begin) * columns));
    gram.add(part, weights.empty()
                       ? std::span<const float>()
                       : std::span(weights).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
  }
  gram.finish();
  return gram;
}

TEST_SUITE("calibration/gram") {
  TEST_CASE("the matrix is the sum over rows of weight * x^T x, as sums in double give it") {
    for (const auto& [columns, count] : {std::pair<int64_t, int64_t>{3, 7}, {40, 513}, {300, 1100}}) {
      CAPTURE(columns);
      const auto rows = random_floats(columns * count, 1);
      std::vector<float> weights = random_floats(count, 2);
      std::ranges::transform(weights, weights.begin(), [](float x) { return std::fabs(x); });
      const Gram gram = gram_of(columns, rows, weights, 3);
      CHECK(gram.rows() == count);
      double worst = 0;
      for (int64_t i = 0; i < columns; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          double sum = 0;
          for (int64_t row = 0; row < count; ++row) {
            sum += static_cast<double>(weights[static_cast<size_t>(row)]) *
                   static_cast<double>(rows[static_cast<size_t>(row * columns + i)]) *
                   static_cast<double>(rows[static_cast<size_t>(row * columns + j)]);
          }
          worst = std::max(worst, std::fabs(sum - static_cast<double>(gram.at(i, j))));
        }
      }
      CHECK(worst < 1e-3);
    }
  }

  TEST_CASE("how rows are cut into calls, and the number of threads, change no bit") {
    const auto rows = random_floats(int64_t{290} * 1500, 3);
    const Gram whole = gram_of(290, rows, {}, 1);
    const Gram pieces = gram_of(290, rows, {}, 11);
    const ThreadLimit one(1);
    const Gram alone = gram_of(290, rows, {}, 1);
    CHECK(std::ranges::equal(whole.matrix(), pieces.matrix()));
    CHECK(std::ranges::equal(whole.matrix(), alone.matrix()));
  }

  TEST_CASE("in bf16 it is the matrix of the weighted rows, rounded") {
    if (fast_precision() == Precision::f32) {
      return;  // this processor has no such products
    }
    const int64_t columns = 70, count = 600;
    const auto rows = random_floats(columns * count, 4);
    std::vector<float> rounded = rows;
    const float factor = std::sqrt(3.0F);
    for (float& x : rounded) {
      x = to_float(to_bfloat16(x * factor));
    }
    const Gram expected = gram_of(columns, rounded, {}, 1);
    Gram gram(columns, Precision::bf16);
    gram.add(rows, std::vector<float>(static_cast<size_t>(count), 3.0F));
    gram.finish();
    float worst = 0;
    for (size_t i = 0; i < gram.matrix().size(); ++i) {
      worst = std::max(worst, std::fabs(gram.matrix()[i] - expected.matrix()[i]));
    }
    CHECK(worst < 1e-2F);  // of diagonals near 1,800
  }

  TEST_CASE("no rows give zeros") {
    const Gram gram = gram_of(4, {}, {}, 1);
    CHECK(gram.rows() == 0);
    CHECK(std::ranges::all_of(gram.matrix(), [](float x) { return x == 0; }));
  }
}

}  // namespace
}  // namespace terse::calibration
