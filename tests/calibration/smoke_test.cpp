#include "calibration/smoke.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

/// Multiplies every weight matrix of `role` by a number.
Model spoilt(const std::filesystem::path& path, RoleKind role, float factor) {
  Model model = open_model(path);
  for (Value& value : model.graph.values) {
    if (value.constant == nullptr || value.roles.empty() || value.roles.front().kind != role) {
      continue;
    }
    const Tensor weight = decode(*value.constant);
    Tensor scaled = Tensor::make(DType::f32, weight.shape());
    std::ranges::transform(weight.values<float>(), scaled.mutable_values<float>().begin(),
                           [&](float x) { return x * factor; });
    value.constant = make_dense(scaled);
  }
  return model;
}

SmokeCheck smoke_check(const Model& original, const Model& compressed) {
  SmokeTest test(original);
  test.run_original();
  return test.check(compressed);
}

TEST_SUITE("calibration/smoke") {
  TEST_CASE("a language model is compared on tokens as frequent as in text") {
    const auto path = kTestdata / "lm" / "dynamo.onnx";
    const Model model = open_model(path);
    const SmokeCheck same = smoke_check(model, model);
    REQUIRE(same.reason == "");
    CHECK(same.task == Task::language_model);
    CHECK(same.is_finite);
    CHECK(*same.kl_mean == 0);
    const SmokeCheck near = smoke_check(model, spoilt(path, RoleKind::down, 0.95F));
    const SmokeCheck far = smoke_check(model, spoilt(path, RoleKind::down, -5));
    CHECK(*near.kl_mean > 0);
    CHECK(*near.kl_mean < kSuspiciousKl);
    CHECK(*far.kl_mean > kSuspiciousKl);
  }

  TEST_CASE("numbers that are not finite are found") {
    const auto path = kTestdata / "lm" / "dynamo.onnx";
    const SmokeCheck check = smoke_check(open_model(path), spoilt(path, RoleKind::down, NAN));
    CHECK(check.has_run);
    CHECK_FALSE(check.is_finite);
  }

  TEST_CASE("a classifier is compared by the cosine of its outputs") {
    const auto path = kTestdata / "classifier" / "dynamo.onnx";
    const Model model = open_model(path);
    CHECK(*smoke_check(model, model).cosine == doctest::Approx(1));
    const SmokeCheck check = smoke_check(model, spoilt(path, RoleKind::classifier, -1));
    CHECK(*check.cosine < 0.9);
  }

  TEST_CASE("a graph that cannot run is said to be one") {
    Model model = open_model(kTestdata / "lm" / "dynamo.onnx");
    model.graph.main.nodes.front().op_type = "Unheard";
    const SmokeCheck check = smoke_check(model, model);
    CHECK_FALSE(check.has_run);
    CHECK(check.reason.find("Unheard") != std::string::npos);
  }
}

}  // namespace
}  // namespace terse::calibration
