#include "calibration/ops/vector_math.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

namespace terse::calibration {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Row {
  std::string_view name;
  void (*run)(const float*, float*, int64_t);
  double (*exact)(double);
  double limit_ulps;      ///< relative to the result
  double limit_absolute;  ///< where the result cancels
};

const std::array kRows = {
    Row{"exp", vector_exp, [](double x) { return std::exp(x); }, 2, 0},
    Row{"tanh", vector_tanh, [](double x) { return std::tanh(x); }, 3, 0},
    Row{"erf", vector_erf, [](double x) { return std::erf(x); }, 2, 0},
    Row{"sigmoid", vector_sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 4, 0},
    Row{"silu", vector_silu, [](double x) { return x / (1 + std::exp(-x)); }, 5, 0},
    Row{"gelu", vector_gelu, [](double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }, 4, 3e-7},
    Row{"gelu_tanh", vector_gelu_tanh,
        [](double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }, 4, 3e-7},
};

std::vector<float> mapped(const Row& row, const std::vector<float>& in) {
  std::vector<float> out(in.size());
  row.run(in.data(), out.data(), static_cast<int64_t>(in.size()));
  return out;
}

TEST_SUITE("calibration/ops/vector_math") {
  TEST_CASE("functions stay within a few units in the last place of the C library's in double") {
    std::vector<float> in;
    for (float x = -20; x < 20; x += 1e-3F) {
      in.push_back(x);
    }
    for (const Row& row : kRows) {
      CAPTURE(row.name);
      const auto out = mapped(row, in);
      double worst = 0;
      for (size_t i = 0; i < in.size(); ++i) {
        const double exact = row.exact(static_cast<double>(in[i]));
        const double ulp = static_cast<double>(std::nextafter(std::abs(static_cast<float>(exact)), kInf)) -
                           static_cast<double>(std::abs(static_cast<float>(exact)));
        const double error = std::abs(static_cast<double>(out[i]) - exact);
        worst = std::max(worst, error <= row.limit_absolute ? 0 : error / ulp);
      }
      CHECK(worst <= row.limit_ulps);
    }
  }

  TEST_CASE("infinities, NaN and overflow are those of the C library") {
    const std::vector<float> in = {kInf, -kInf, kNaN, 90, -200, 0};
    const std::vector<std::vector<float>> expected = {
        {kInf, 0, kNaN, kInf, 0, 1}, {1, -1, kNaN, 1, -1, 0}, {1, -1, kNaN, 1, -1, 0}, {1, 0, kNaN, 1, 0, 0.5F}};
    for (size_t row = 0; row < expected.size(); ++row) {
      CAPTURE(kRows[row].name);
      const auto out = mapped(kRows[row], in);
      for (size_t i = 0; i < in.size(); ++i) {
        CAPTURE(in[i]);
        CHECK((std::isnan(expected[row][i]) ? std::isnan(out[i]) : out[i] == expected[row][i]));
      }
    }
  }

  TEST_CASE("an element's bits do not depend on its place in a run") {
    std::vector<float> in;
    for (int i = 0; i < 77; ++i) {
      in.push_back(static_cast<float>(i) * 0.13F - 5);
    }
    for (const Row& row : kRows) {
      CAPTURE(row.name);
      const auto whole = mapped(row, in);
      for (size_t i = 0; i < in.size(); ++i) {
        CHECK(mapped(row, {in[i]})[0] == whole[i]);
      }
    }
  }

  TEST_CASE("reductions cover every element at any length") {
    for (const int64_t count : {1, 3, 16, 17, 63, 64, 65, 200}) {
      CAPTURE(count);
      std::vector<float> in;
      for (int64_t i = 0; i < count; ++i) {
        in.push_back(static_cast<float>(i % 7) - 3);
      }
      float sum = 0;
      float squares = 0;
      for (const float x : in) {
        sum += x;
        squares += (x - 1) * (x - 1);
      }
      CHECK(vector_sum(in.data(), count) == sum);
      CHECK(vector_squared_sum(in.data(), 1, count) == squares);
      for (int64_t i = 0; i < count; ++i) {
        std::vector<float> peak = in;
        peak[static_cast<size_t>(i)] = 10;
        CHECK(vector_max(peak.data(), count) == 10);
        peak[static_cast<size_t>(i)] = kNaN;
        CHECK(std::isnan(vector_max(peak.data(), count)));
      }
    }
    const std::vector<float> infinite = {-kInf, kInf, 1};
    CHECK(vector_max(infinite.data(), 3) == kInf);
    CHECK(vector_max(infinite.data(), 1) == -kInf);
  }

  TEST_CASE("bf16 is the scaled number rounded to nearest, ties to even, at every length") {
    std::vector<float> in = {1.00390625F, 1.01171875F, -3.3F, 0, -0.0F, 1e-40F, 3.4e38F, kInf, -kInf, kNaN};
    for (int i = 0; i < 50; ++i) {
      in.push_back(std::sin(static_cast<float>(i)));
    }
    for (const float factor : {1.0F, 0.3F}) {
      for (size_t count = 0; count <= in.size(); ++count) {
        std::vector<BFloat16> found(count);
        vector_to_bfloat16(in.data(), factor, found.data(), static_cast<int64_t>(count));
        for (size_t i = 0; i < count; ++i) {
          CAPTURE(in[i]);
          CHECK(found[i].bits == to_bfloat16(in[i] * factor).bits);
        }
      }
    }
  }
}

}  // namespace
}  // namespace terse::calibration
