#include <doctest/doctest.h>

#include <filesystem>

#include "calibration/executor.h"
#include "calibration/npz.h"
#include "formats/model.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

/// The largest difference of rows whose token is no padding, relative to the largest expected number. Logits of whole
/// sequences count all.
double error_of(const Tensor& got, const Tensor& expected, const Tensor& attention_mask) {
  REQUIRE(got.shape() == expected.shape());
  const int64_t columns = expected.shape().back();
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    if (expected.rank() < 3 || attention_mask.values<int64_t>()[static_cast<size_t>(i / columns)] != 0) {
      const double a = got.values<float>()[static_cast<size_t>(i)];
      const double b = expected.values<float>()[static_cast<size_t>(i)];
      difference = std::max(difference, std::abs(a - b));
      largest = std::max(largest, std::abs(b));
    }
  }
  return difference / largest;
}

}  // namespace

TEST_SUITE("calibration/checkpoint") {
  TEST_CASE("a checkpoint folder computes what PyTorch does") {
    for (const std::string name : {"classifier", "lm"}) {
      CAPTURE(name);
      auto sample = read_npz(kTestdata / name / "reference.npz");
      const Tensor expected = sample.extract("logits").mapped();
      const Executor executor(open_model(kTestdata / name));
      const auto outputs = executor.run(sample);
      REQUIRE(executor.output_names() == std::vector<std::string>{"logits"});
      CHECK(error_of(outputs[0], expected, sample.at("attention_mask")) < 1e-5);
    }
  }
}

}  // namespace terse::calibration
