#include "calibration/calibration_check.h"

#include <doctest/doctest.h>

#include <cmath>

#include "formats/error.h"

namespace terse::calibration {
namespace {

/// Samples of two tokens each: the n-th is [n % different, 7].
Dataset tokens(int64_t count, int64_t different) {
  Dataset data;
  for (int64_t i = 0; i < count; ++i) {
    data.samples.push_back({{"input_ids", Tensor::of<int64_t>({1, 2}, {i % different, 7})}});
  }
  return data;
}

std::string complaint(const Dataset& data) {
  try {
    check_calibration(data);
    return "";
  } catch (const Error& error) {
    CHECK(error.kind() == Kind::input);
    return error.what();
  }
}

TEST_SUITE("calibration/calibration_check") {
  TEST_CASE("eight different samples will do") {
    CHECK(complaint(tokens(8, 8)).empty());
    CHECK(complaint(tokens(100, 8)).empty());
  }

  TEST_CASE("fewer, or the same ones again and again, say too little") {
    CHECK(complaint(tokens(7, 7)) == "7 samples, expected at least 8");
    CHECK(complaint(tokens(16, 1)) == "16 samples, of which only 1 is different, expected at least 8 different ones");
    CHECK(complaint(tokens(16, 7)) == "16 samples, of which only 7 are different, expected at least 8 different ones");
  }

  TEST_CASE("padding alone is no data, but some samples may be nothing else") {
    Dataset data = tokens(9, 9);
    for (Sample& sample : data.samples) {
      sample["attention_mask"] = Tensor::of<int64_t>({1, 2}, {0, 0});
    }
    CHECK(complaint(data) == "attention_mask is 0 everywhere, expected tokens that are no padding");
    data.samples[4]["attention_mask"] = Tensor::of<int64_t>({1, 2}, {1, 0});
    CHECK(complaint(data).empty());
  }

  TEST_CASE("an input may hold infinity, as masks do, but no NaN") {
    Dataset data = tokens(9, 9);
    data.samples[3]["bias"] = Tensor::of<float>({1, 2}, {0, -INFINITY});
    CHECK(complaint(data).empty());
    data.samples[5]["bias"] = Tensor::of<float>({1, 2}, {0, NAN});
    CHECK(complaint(data) == "sample 5: input 'bias' holds NaN");
  }
}

}  // namespace
}  // namespace terse::calibration
