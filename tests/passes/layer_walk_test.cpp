#include "passes/layer_walk.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "calibration/dataset.h"
#include "calibration/parallel.h"
#include "formats/error.h"
#include "passes/pipeline.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

/// An encoder like ALBERT's in small: a table, then one linear three times, then a head.
struct SharedModel {
  Model model{.opsets = {{"", 23}}};
  Graph& graph = model.graph;
  ValueId ids = graph.add("input_ids");
  ValueId table = add_weight(graph, "table", random_matrix(40, 32, 1), {{RoleKind::embedding}});
  ValueId shared = add_weight(graph, "shared", random_matrix(32, 32, 2), {{RoleKind::up, 0}});
  ValueId head = add_weight(graph, "head", random_matrix(8, 32, 3), {{RoleKind::classifier}});

  SharedModel() {
    graph.value(ids).type = ValueType{DType::i64, std::vector<Dimension>{{.size = 1}, {.symbol = "tokens"}}};
    graph.main.inputs = {ids};
    ValueId last = add("Gather", {table, ids}, {});
    for (int i = 0; i < 3; ++i) {
      last = add("Tanh", {add("MatMul", {last, shared}, {{"transB", int64_t{1}}})}, {});
    }
    graph.main.outputs = {add("MatMul", {last, head}, {{"transB", int64_t{1}}})};
  }

  ValueId add(std::string_view op, std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
    const ValueId out = graph.add(fmt::format("v{}", graph.values.size()));
    graph.main.nodes.push_back({.op_type = std::string(op),
                                .inputs = std::move(inputs),
                                .outputs = {out},
                                .attributes = std::move(attributes)});
    return out;
  }
};

std::vector<calibration::Sample> token_samples() {
  std::vector<calibration::Sample> samples;
  for (int64_t i = 0; i < 16; ++i) {
    samples.push_back({{"input_ids", Tensor::of<int64_t>({1, 4}, {i, 39 - i, 2 * i, (7 * i) % 40})}});
  }
  return samples;
}

const WeightReport& find_report(const PipelineReport& report, std::string_view name) {
  const auto found = std::ranges::find(report.weights, name, &WeightReport::name);
  REQUIRE(found != report.weights.end());
  return *found;
}

TEST_SUITE("passes/layer_walk") {
  TEST_CASE("weights come in order: used several times, used by no linear, then behind each barrier") {
    SharedModel shared;
    const auto samples = token_samples();
    std::vector<std::pair<ValueId, int64_t>> visits;
    const auto visit = [&](const VisitedWeight& weight) -> EncodingPtr {
      visits.emplace_back(weight.id, weight.inputs == nullptr ? 0 : weight.inputs->hessian().rows());
      return nullptr;
    };
    visit_weights(shared.model, {shared.table, shared.shared, shared.head}, {.samples = &samples}, visit, {});
    CHECK(visits == std::vector<std::pair<ValueId, int64_t>>{
                        {shared.shared, 3 * 14 * 4}, {shared.table, 0}, {shared.head, 14 * 4}});
  }

  TEST_CASE("the walk computes with what became of a weight that is used several times") {
    const auto samples = token_samples();
    const auto head_inputs = [&](bool replaces) {
      SharedModel shared;
      float sum = 0;
      const auto visit = [&](const VisitedWeight& weight) -> EncodingPtr {
        sum = weight.id == shared.head ? weight.inputs->hessian().at(0, 0) : 0;
        return weight.id == shared.shared && replaces ? random_matrix(32, 32, 9) : nullptr;
      };
      visit_weights(shared.model, {shared.shared, shared.head}, {.samples = &samples}, visit, {});
      return sum;
    };
    CHECK(head_inputs(false) != head_inputs(true));
  }

  TEST_CASE("a weight that several linears use is solved by all their inputs, to the same bits on any threads") {
    const auto samples = token_samples();
    const auto solve = [&](std::string_view recipe) {
      SharedModel shared;
      PipelineReport report = run_pipeline(parse_recipe(recipe), shared.model, {.samples = &samples});
      return std::pair(decode(*shared.graph.value(shared.shared).constant), find_report(report, "shared"));
    };
    const auto [nearest, nearest_report] = solve("quantize,bits=2,solver=nearest");
    const auto [solved, report] = solve("quantize,bits=2");
    CHECK(report.solver != "nearest");
    CHECK(*report.output_error < 0.9 * *nearest_report.output_error);
    const calibration::ThreadLimit one(1);
    const auto [alone, other_report] = solve("quantize,bits=2");
    CHECK(std::ranges::equal(alone.values<float>(), solved.values<float>()));
    CHECK(*other_report.output_error == *report.output_error);
  }

  TEST_CASE("a weight that rounding hardly changes is worth no walk of its own") {
    const auto samples = token_samples();
    const auto is_measured = [&](std::string_view recipe) {
      SharedModel shared;
      const PipelineReport report = run_pipeline(parse_recipe(recipe), shared.model, {.samples = &samples});
      CHECK(find_report(report, "head").output_error.has_value());
      return find_report(report, "shared").output_error.has_value();
    };
    CHECK(is_measured("quantize,bits=8"));
    CHECK_FALSE(is_measured("cast,dtype=f16"));
  }

  TEST_CASE("a table that is also the head is solved by what the head reads") {
    const std::filesystem::path folder = std::filesystem::path(TERSE_TESTDATA) / "lm";
    const Model original = open_model(folder / "dynamo.onnx");
    const auto data =
        calibration::read_dataset(original, {folder / "calib.npz"}, {.samples = 8, .seq_len = {}, .tokenizer = {}});
    const auto error = [&](std::string_view recipe) {
      Model model = original;
      model.graph = deep_copy(original.graph);
      const auto report = run_pipeline(parse_recipe(recipe), model, {.samples = &data.samples});
      const auto table = std::ranges::find_if(report.weights, [](const auto& row) { return row.roles.size() == 2; });
      REQUIRE(table != report.weights.end());
      return table->output_error.value();
    };
    CHECK(error("quantize,bits=4,only=head") < 0.7 * error("quantize,bits=4,only=head,solver=nearest"));
  }

  TEST_CASE("an error in a visit names the weight") {
    SharedModel shared;
    const auto visit = [](const VisitedWeight&) -> EncodingPtr { throw Error(Kind::input, "is odd"); };
    CHECK_THROWS_WITH_AS(visit_weights(shared.model, {shared.head}, {}, visit, {}), "weight 'head': is odd", Error);
  }
}

}  // namespace
}  // namespace terse::passes
