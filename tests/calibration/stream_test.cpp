#include "calibration/stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

namespace terse::calibration {
namespace {

constexpr int64_t kNarrow = 64, kWide = 256;

Tensor counting(const Shape& shape) {
  Tensor tensor = Tensor::make(DType::f32, shape);
  const auto numbers = tensor.mutable_values<float>();
  std::iota(numbers.begin(), numbers.end(), -500.0F);
  std::ranges::for_each(numbers, [](float& x) { x /= 1000; });
  return tensor;
}

/// Steps: 0 product, 1 Relu, both wide; 2 product, 3 Relu, both narrow.
struct Bottleneck {
  Model model{.opsets = {{"", 23}}};
  std::vector<Sample> samples;

  Bottleneck() {
    Graph& graph = model.graph;
    ValueId last = graph.add("x");
    graph.value(last).type =
        ValueType{DType::f32, std::vector<Dimension>{{.size = kNarrow, .symbol = {}}, {.size = kNarrow, .symbol = {}}}};
    graph.main.inputs = {last};
    for (const Shape& shape : {Shape{kWide, kNarrow}, Shape{kNarrow, kWide}}) {
      const ValueId weight = graph.add_constant("w", make_dense(counting(shape)));
      const ValueId product = graph.add("product"), out = graph.add("activation");
      graph.main.nodes.push_back({.op_type = "MatMul",
                                  .inputs = {last, weight},
                                  .outputs = {product},
                                  .attributes = {{"transB", int64_t{1}}}});
      graph.main.nodes.push_back({.op_type = "Relu", .inputs = {product}, .outputs = {out}});
      last = out;
    }
    graph.main.outputs = {last};
    samples.push_back({{"x", counting({kNarrow, kNarrow})}});
  }
};

TEST_SUITE("calibration/stream") {
  TEST_CASE("samples can wait where their values take the least room, and first there of equal places") {
    Bottleneck bottleneck;
    Plan plan(bottleneck.model, {});
    const SharedValues shared(plan, bottleneck.samples);
    const Stream stream(plan, bottleneck.samples, shared);
    struct Case {
      size_t first, last, expected;
    };
    for (const Case& c : {Case{1, 4, 3}, Case{1, 2, 1}, Case{3, 4, 3}, Case{2, 2, 2}}) {
      CAPTURE(c.first);
      CAPTURE(c.last);
      CHECK(stream.find_narrowest(0, c.first, c.last) == c.expected);
    }
  }

  TEST_CASE("a sample that goes on from a step ends where one ends that did not stop there") {
    Bottleneck bottleneck;
    Plan plan(bottleneck.model, {});
    const SharedValues shared(plan, bottleneck.samples);
    const Stream stream(plan, bottleneck.samples, shared);
    const Stream::Arrival through = stream.run(0, 4);
    Stream::Arrival stopped = stream.run(0, 1);
    stream.go_on(stopped, 1, 4);
    REQUIRE(stopped.live == through.live);
    REQUIRE(through.live.size() == 1);
    const auto last = static_cast<size_t>(through.live[0]);
    CHECK(std::ranges::equal(stopped.frame[last].values<float>(), through.frame[last].values<float>()));
  }
}

}  // namespace
}  // namespace terse::calibration
