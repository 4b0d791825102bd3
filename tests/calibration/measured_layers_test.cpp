#include "calibration/measured_layers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

/// x [n, 3] -> shared -> Relu -> shared -> Relu -> own, with a table of the shape of the weights that x is no part of.
struct SharedLayer {
  Model model{.opsets = {{"", 23}}};
  Graph& graph = model.graph;
  ValueId x = graph.add("x");
  ValueId shared = graph.add_constant("shared", matrix({1, 2, 0, -1, 1, 1, 0, 0, 2}));
  ValueId own = graph.add_constant("own", matrix({1, 0, 0, 0, 1, 0, 0, 0, 1}));
  ValueId first = relu("first", linear("p", x, shared));
  ValueId second = relu("second", linear("q", first, shared));

  SharedLayer() {
    graph.value(x).type = ValueType{DType::f32, std::vector<Dimension>{{.symbol = "n"}, {.size = 3}}};
    graph.main.inputs = {x};
    graph.main.outputs = {linear("r", second, own)};
  }

  static EncodingPtr matrix(std::vector<float> numbers) {
    return make_dense(Tensor::of<float>({3, 3}, std::span<const float>(numbers)));
  }

  ValueId linear(std::string_view name, ValueId input, ValueId weight) {
    return add("MatMul", name, {input, weight}, {{"transB", int64_t{1}}});
  }
  ValueId relu(std::string_view name, ValueId input) { return add("Relu", name, {input}, {}); }

  ValueId add(std::string_view op, std::string_view name, std::vector<ValueId> inputs,
              std::vector<Attribute> attributes) {
    const ValueId out = graph.add(std::string(name));
    graph.main.nodes.push_back({.op_type = std::string(op),
                                .inputs = std::move(inputs),
                                .outputs = {out},
                                .attributes = std::move(attributes)});
    return out;
  }
};

std::vector<Sample> some_samples() {
  std::vector<Sample> samples;
  for (int i = 0; i < 9; ++i) {
    const auto f = static_cast<float>(i);
    samples.push_back({{"x", Tensor::of<float>({2, 3}, {f, 1, -f, 2, f - 3, 1})}});
  }
  return samples;
}

/// The diagonals of X^T X over the values of that name, of samples that are held out or not.
std::vector<double> direct_diagonal(const Model& model, const std::vector<Sample>& samples,
                                    const std::vector<std::string>& values) {
  const Executor executor(model, {.outputs = values});
  std::vector<double> sums(3);
  for (size_t s = 0; s < samples.size(); ++s) {
    for (const Tensor& rows : executor.run(samples[s])) {
      for (int64_t i = 0; s % 8 != 7 && i < rows.count(); ++i) {
        const auto x = static_cast<double>(rows.values<float>()[static_cast<size_t>(i)]);
        sums[static_cast<size_t>(i % 3)] += x * x;
      }
    }
  }
  return sums;
}

TEST_SUITE("calibration/measured_layers") {
  TEST_CASE("a weight that two linears use gets the statistics of both, when the second has been reached") {
    const SharedLayer graph;
    const std::vector<Sample> samples = some_samples();
    std::vector<std::vector<ValueId>> order;
    measure_layers(graph.model, samples, {graph.own, graph.shared}, [&](const MeasuredLayer& layer) {
      order.push_back(layer.weights);
      const bool is_shared = layer.weights[0] == graph.shared;
      const auto expected =
          direct_diagonal(graph.model, samples,
                          is_shared ? std::vector<std::string>{"x", "first"} : std::vector<std::string>{"second"});
      CHECK(layer.statistics.solving.rows() == (is_shared ? 32 : 16));
      CHECK(layer.statistics.held_out.rows() == (is_shared ? 4 : 2));
      for (int64_t i = 0; i < 3; ++i) {
        CHECK(static_cast<double>(layer.statistics.solving.at(i, i)) ==
              doctest::Approx(expected[static_cast<size_t>(i)]));
      }
    });
    CHECK(order == std::vector<std::vector<ValueId>>{{graph.shared}, {graph.own}});
  }

  TEST_CASE("weights without a linear use are not shown") {
    SharedLayer graph;
    const ValueId table = graph.graph.add_constant("table", SharedLayer::matrix({1, 2, 3, 4, 5, 6, 7, 8, 9}));
    graph.graph.main.outputs.push_back(graph.add("Mul", "scaled", {graph.first, table}, {}));
    std::vector<ValueId> shown;
    const std::vector<Sample> samples(1, {{"x", Tensor::of<float>({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9})}});
    measure_layers(graph.model, samples, {table, graph.own}, [&](const MeasuredLayer& layer) {
      shown.insert(shown.end(), layer.weights.begin(), layer.weights.end());
    });
    CHECK(shown == std::vector<ValueId>{graph.own});
  }

  TEST_CASE("of a table that is also the head the head's inputs are measured, on any number of threads alike") {
    const std::filesystem::path folder = std::filesystem::path(TERSE_TESTDATA) / "lm";
    const Model model = open_model(folder / "dynamo.onnx");
    const Dataset data = read_dataset(model, {folder / "calib.npz"}, {.samples = 9, .seq_len = {}, .tokenizer = {}});
    const Graph& graph = model.graph;
    const auto gather = std::ranges::find_if(graph.main.nodes, [](const Node& node) { return node.is("Gather"); });
    REQUIRE(gather != graph.main.nodes.end());
    const ValueId table = gather->input(0);
    const auto measure = [&] {
      std::vector<float> numbers;
      measure_layers(model, data.samples, {table}, [&](const MeasuredLayer& layer) {
        CHECK(layer.weights == std::vector<ValueId>{table});
        CHECK(layer.statistics.held_out.rows() == data.samples[0].at("input_ids").count());
        numbers.assign(layer.statistics.solving.matrix().begin(), layer.statistics.solving.matrix().end());
      });
      return numbers;
    };
    const std::vector<float> found = measure();
    CHECK(std::ssize(found) == 128 * 128);
    const ThreadLimit one(1);
    CHECK(measure() == found);
  }
}

}  // namespace
}  // namespace terse::calibration
