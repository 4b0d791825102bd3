#include "calibration/output_probe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "calibration/dataset.h"
#include "calibration/divergence.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

struct Language {
  Model model = open_model(kTestdata / "lm/dynamo.onnx");
  Dataset data = read_dataset(model, {kTestdata / "lm/calib.npz"}, {.samples = 3, .seq_len = {}, .tokenizer = {}});

  /// A weight with a role of that kind.
  ValueId find(RoleKind kind, int layer) const {
    for (size_t i = 0; i < model.graph.values.size(); ++i) {
      for (const Role& role : model.graph.values[i].roles) {
        if (role.kind == kind && role.layer == layer) {
          return static_cast<ValueId>(i);
        }
      }
    }
    return kNoValue;
  }

  /// The weight times a factor.
  EncodingPtr scaled(ValueId id, float factor) const {
    const Tensor numbers = decode(*model.graph.value(id).constant);
    Tensor result = Tensor::make(DType::f32, numbers.shape());
    std::ranges::transform(numbers.values<float>(), result.mutable_values<float>().begin(),
                           [&](float x) { return x * factor; });
    return make_dense(std::move(result));
  }

  std::vector<double> probe(const std::vector<Perturbation>& perturbations, float factor) const {
    OutputProbe probe(model, data.samples);
    return probe.run(perturbations, [&](ValueId id) { return scaled(id, factor); }, {});
  }
};

/// The slow judge: two whole models, every row (samples are shorter than what is scored at most).
double direct(const Language& lm, ValueId id, float factor) {
  Model changed = lm.model;
  changed.graph.value(id).constant = lm.scaled(id, factor);
  const ExecutorOptions options{.outputs = {"logits"}};
  const Executor before(lm.model, options), after(changed, options);
  double sum = 0;
  int64_t rows = 0;
  for (const Sample& sample : lm.data.samples) {
    const Tensor a = before.run(sample)[0], b = after.run(sample)[0];
    const auto width = static_cast<size_t>(a.shape().back());
    for (size_t at = 0; at < a.values<float>().size(); at += width, ++rows) {
      sum += divergence(a.values<float>().subspan(at, width), b.values<float>().subspan(at, width)).kl;
    }
  }
  return sum / static_cast<double>(rows);
}

TEST_SUITE("calibration/output_probe") {
  TEST_CASE("distances are those of whole models with the one weight changed") {
    const Language lm;
    const std::vector<ValueId> ids = {lm.find(RoleKind::down, 3), lm.find(RoleKind::q, 0),
                                      lm.find(RoleKind::embedding, -1), lm.find(RoleKind::up, 2)};
    std::vector<Perturbation> perturbations;
    for (const ValueId id : ids) {
      REQUIRE(id != kNoValue);
      perturbations.push_back({.weights = {id}});
    }
    const std::vector<double> found = lm.probe(perturbations, 1.25F);
    for (size_t i = 0; i < ids.size(); ++i) {
      CAPTURE(i);
      // Products may be in bf16 here and are in f32 there.
      CHECK(found[i] == doctest::Approx(direct(lm, ids[i], 1.25F)).epsilon(0.1));
    }
  }

  TEST_CASE("what stays as it is, or is not used, moves nothing") {
    const Language lm;
    CHECK(lm.probe({{.weights = {lm.find(RoleKind::up, 1)}}}, 1).front() == 0);
    CHECK(lm.probe({{.weights = {}}}, 2).front() == 0);
    CHECK(lm.probe({}, 2).empty());
  }

  TEST_CASE("several weights may change together") {
    const Language lm;
    const ValueId up = lm.find(RoleKind::up, 1), down = lm.find(RoleKind::down, 1);
    const auto found = lm.probe({{.weights = {up, down}}, {.weights = {up}}}, 1.1F);
    CHECK(found[0] > found[1]);
    CHECK(found[1] > 0);
  }

  TEST_CASE("digits do not depend on the number of threads") {
    const Language lm;
    const std::vector<Perturbation> perturbations = {{.weights = {lm.find(RoleKind::v, 0)}}};
    std::vector<std::vector<double>> found;
    for (const int64_t threads : {1, 2}) {
      const ThreadLimit limit(threads);
      found.push_back(lm.probe(perturbations, 1.5F));
    }
    CHECK(found[0] == found[1]);
  }

  TEST_CASE("models without logits are judged by their first output's relative error") {
    CHECK(measure_for(Language().model).name == "KL divergence");
    Model model{.opsets = {{"", 23}}};
    Graph& graph = model.graph;
    const ValueId x = graph.add("x"), y = graph.add("y");
    graph.value(x).type = ValueType{DType::f32, std::vector<Dimension>{{.size = 2}, {.size = 3}}};
    graph.main.inputs = {x};
    graph.main.outputs = {y};
    const ValueId weight = graph.add_constant("w", make_dense(Tensor::of<float>({1, 3}, {1, 2, 3})));
    graph.main.nodes.push_back(
        {.op_type = "MatMul", .inputs = {x, weight}, .outputs = {y}, .attributes = {{"transB", int64_t{1}}}});
    const std::vector<Sample> samples = {{{"x", Tensor::of<float>({2, 3}, {1, 0, 0, 0, 1, 0})}}};
    CHECK(measure_for(model).name == "relative output error");
    OutputProbe probe(model, samples);
    const auto found = probe.run({{.weights = {weight}}},
                                 [](ValueId) {
                                   return make_dense(Tensor::of<float>({1, 3}, {2, 2, 3}));
                                 },
                                 {});
    // The first row's output is 2 instead of 1: an error of 1. The second's is right.
    CHECK(found.front() == doctest::Approx(0.5));
  }
}

}  // namespace
}  // namespace terse::calibration
