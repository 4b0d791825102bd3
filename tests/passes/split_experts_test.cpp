#include <doctest/doctest.h>

#include <filesystem>
#include <numeric>
#include <random>

#include "calibration/executor.h"
#include "calibration/walk.h"
#include "formats/architectures/op_builder.h"
#include "passes/measured_statistics.h"
#include "passes/pipeline.h"
#include "passes/saved_statistics.h"
#include "passes/selection.h"
#include "tests/temporary_folder.h"

namespace terse::passes {
namespace {

constexpr int64_t kExperts = 4, kWidth = 8, kInner = 6, kChosen = 2;

/// How an exporter picks matrices.
enum class Picked { gather, gather_nd, gather_for_right };

using architectures::OpBuilder;

ValueId stack(OpBuilder& builder, std::string_view name, Shape shape, RoleKind kind) {
  std::mt19937 random(static_cast<unsigned>(name.size()));
  Tensor values = Tensor::make(DType::f32, std::move(shape));
  std::normal_distribution<float> normal;
  for (float& x : values.mutable_values<float>()) {
    x = normal(random);
  }
  const ValueId id = builder.graph().add_constant(name, make_dense(values));
  builder.graph().value(id).roles = {{kind, 0}};
  return id;
}

/// x times the chosen experts' matrices, [places, 1 or out, ..] as the exporter has it.
ValueId multiply(OpBuilder& builder, Picked picked, ValueId weights, ValueId chosen, ValueId x) {
  const ValueId last = builder.ints({-1}), middle = builder.ints({1});
  if (picked == Picked::gather_for_right) {
    const ValueId matrices = builder.op("Gather", {weights, chosen});
    return builder.op("Squeeze", {builder.linear(builder.op("Unsqueeze", {x, middle}), matrices), middle});
  }
  const ValueId matrices = picked == Picked::gather
                               ? builder.op("Gather", {weights, chosen})
                               : builder.op("GatherND", {weights, builder.op("Unsqueeze", {chosen, last})});
  return builder.op("Squeeze", {builder.op("MatMul", {matrices, builder.op("Unsqueeze", {x, last})}), last});
}

/// A layer of experts as torch's exporters write transformers' batched_mm.
Model exported(Picked picked) {
  Model model{.opsets = {{"", 20}}};
  OpBuilder builder(model.graph);
  const ValueId x = builder.input("x", DType::f32, {{.symbol = "tokens"}, {.size = kWidth}});
  const ValueId router = stack(builder, "router", {kExperts, kWidth}, RoleKind::router);
  const ValueId up = stack(builder, "gate_up_proj", {kExperts, 2 * kInner, kWidth}, RoleKind::gate_up);
  const ValueId down = stack(builder, "down_proj", {kExperts, kWidth, kInner}, RoleKind::down);
  const auto best = builder.op_n("TopK", {builder.linear(x, router), builder.ints({kChosen})}, 2);
  const ValueId shares = builder.op("Softmax", {best[0]});
  const ValueId chosen = builder.reshape(best[1], {-1});
  const ValueId rows = builder.reshape(
      builder.op("Expand", {builder.op("Unsqueeze", {x, builder.ints({1})}), builder.ints({1, kChosen, 1})}),
      {-1, kWidth});
  const auto halves =
      builder.op_n("Split", {multiply(builder, picked, up, chosen, rows), builder.ints({kInner, kInner})}, 2,
                   {{.name = "axis", .value = int64_t{-1}}});
  const ValueId inner = builder.mul(builder.mul(halves[0], builder.op("Sigmoid", {halves[0]})), halves[1]);
  const ValueId out = builder.mul(multiply(builder, picked, down, chosen, inner),
                                  builder.op("Unsqueeze", {builder.reshape(shares, {-1}), builder.ints({-1})}));
  const ValueId sum = builder.op("ReduceSum", {builder.reshape(out, {-1, kChosen, kWidth}), builder.ints({1})},
                                 {{.name = "keepdims", .value = int64_t{0}}});
  builder.output("y", sum, DType::f32, {{.symbol = "tokens"}, {.size = kWidth}});
  sort_and_validate(model.graph);
  return model;
}

calibration::Sample sample(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor x = Tensor::make(DType::f32, {7, kWidth});
  for (float& number : x.mutable_values<float>()) {
    number = normal(random);
  }
  return {{"x", x}};
}

std::vector<float> outputs(const Model& model, unsigned seed) {
  const Tensor y = calibration::Executor(model).run(sample(seed))[0];
  return {y.values<float>().begin(), y.values<float>().end()};
}

size_t count(const Model& model, std::string_view op) {
  return static_cast<size_t>(std::ranges::count(model.graph.main.nodes, op, &Node::op_type));
}

}  // namespace

TEST_SUITE("passes/split_experts") {
  TEST_CASE("a stack's experts become linears, and the layer computes what it did") {
    for (const Picked picked : {Picked::gather, Picked::gather_nd, Picked::gather_for_right}) {
      CAPTURE(static_cast<int>(picked));
      const Model before = exported(picked);
      Model after = exported(picked);
      (void)run_pipeline(parse_recipe("split-experts"), after, {});
      CHECK(count(after, "MatMul") == 1 + 2 * kExperts);
      CHECK(count(after, "GatherND") == 0);
      CHECK_FALSE(after.graph.find("gate_up_proj"));
      const std::vector<float> expected = outputs(before, 5), found = outputs(after, 5);
      REQUIRE(found.size() == expected.size());
      for (size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-5));
      }
    }
  }

  TEST_CASE("each has its role and number, and is measured on its own tokens") {
    Model model = exported(Picked::gather_nd);
    (void)run_pipeline(parse_recipe("split-experts"), model, {});
    const Value& third = model.graph.value(*model.graph.find("down_proj.3"));
    CHECK(third.constant->shape == Shape{kWidth, kInner});
    CHECK(third.roles == std::vector<Role>{{RoleKind::down, 0, 3}});
    const std::vector<calibration::Sample> data = {sample(1), sample(2), sample(3)};
    calibration::Walk walk(model, data, find_weights(model.graph, "gate_up+down"), calibration::ScarceRows::leave);
    int64_t rows = 0;
    walk.run([&](const calibration::Barrier&, const calibration::Statistics& s) { rows += s.solving.rows(); });
    CHECK(walk.barriers().size() == 2 * kExperts);
    CHECK(rows == 2 * 3 * 7 * kChosen);  // a place of a token is one expert's in front, and one's inside
  }

  TEST_CASE("statistics of a stack are measured, saved and found again matrix by matrix") {
    const Model model = exported(Picked::gather);
    const TemporaryFolder folder;
    const std::vector<std::filesystem::path> path = {folder.path() / "stats.gguf"};
    const std::vector<calibration::Sample> data = {sample(1), sample(2), sample(3)};
    const gguf::Imatrix matrix = measure_statistics(model, data, {.sums = calibration::Sums::both}, path.front());
    const gguf::ColumnSums& stack = matrix.entries.at("gate_up_proj");
    CHECK(stack.matrices() == kExperts);
    CHECK(stack.columns() == kWidth);
    CHECK(std::accumulate(stack.counts.begin(), stack.counts.end(), int64_t{0}) == 3 * 7 * kChosen);
    const SavedStatistics statistics = read_statistics(path, model);
    CHECK(measure_statistics(model, data, {}, folder.path() / "squares.gguf").entries.at("down_proj").counts ==
          matrix.entries.at("down_proj").counts);
    CHECK(statistics.size() == 1 + 2 * kExperts);
    const SavedInputs& third = statistics.at("down_proj.3");
    const std::vector<float> expected = matrix.entries.at("down_proj").means(3);
    REQUIRE(third.means.size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(third.means[i] == doctest::Approx(expected[i]).epsilon(1e-6));
    }
    CHECK(third.products->columns == kInner);
    Model small = model;
    const PipelineReport report = run_pipeline(parse_recipe("split-experts\nquantize,block=channel,only=down"), small,
                                               {.statistics = &statistics});
    CHECK(std::ranges::count_if(report.weights, [](const auto& w) { return w.output_error.has_value(); }) == kExperts);
  }

  TEST_CASE("codes are split with their stack") {
    Model before = exported(Picked::gather), after = exported(Picked::gather);
    (void)run_pipeline(parse_recipe("quantize,bits=8,block=channel,only=gate_up+down"), before, {});
    (void)run_pipeline(parse_recipe("quantize,bits=8,block=channel,only=gate_up+down\nsplit-experts"), after, {});
    CHECK(after.graph.value(*after.graph.find("down_proj.0")).constant->affine() != nullptr);
    const std::vector<float> expected = outputs(before, 5), found = outputs(after, 5);
    for (size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-5));
    }
  }

  TEST_CASE("a stack that something else reads, and graphs of old operators, stay as they are") {
    Model shared = exported(Picked::gather), old = exported(Picked::gather);
    OpBuilder builder(shared.graph);
    builder.output("z", builder.op("Identity", {*shared.graph.find("down_proj")}), DType::f32, {});
    old.opsets[""] = 12;
    for (Model* model : {&shared, &old}) {
      (void)run_pipeline(parse_recipe("split-experts"), *model, {});
      CHECK(model->graph.find("down_proj"));
    }
  }
}

}  // namespace terse::passes
