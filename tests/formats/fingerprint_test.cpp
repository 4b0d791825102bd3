#include "formats/fingerprint.h"

#include <doctest/doctest.h>

#include <functional>

namespace terse {
namespace {

Model small_model() {
  Model model;
  Graph& graph = model.graph;
  const ValueId x = graph.add("x"), y = graph.add("y");
  const ValueId w = graph.add_constant("w", make_dense(Tensor::of<float>({2, 2}, {1, 2, 3, 4})));
  const ValueId names = graph.add_constant("names", make_dense(Tensor::strings({2}, {"a", "b"})));
  graph.main.inputs = {x};
  graph.main.outputs = {y};
  graph.main.nodes.push_back(
      {.op_type = "MatMul",
       .inputs = {x, w, names},
       .outputs = {y},
       .attributes = {{"transB", int64_t{1}}, {"alpha", 1.0F}, {"axes", std::vector<int64_t>{1}}}});
  return model;
}

TEST_SUITE("formats/fingerprint") {
  TEST_CASE("equal models have one, and whatever numbers follow from gives another") {
    const uint64_t print = fingerprint(small_model());
    CHECK(fingerprint(small_model()) == print);
    const std::vector<std::pair<const char*, std::function<void(Graph&)>>> changes = {
        {"a number",
         [](Graph& g) {
           g.values[2].constant = make_dense(Tensor::of<float>({2, 2}, {1, 2, 3, 5}));
         }},
        {"a shape",
         [](Graph& g) {
           g.values[2].constant = make_dense(Tensor::of<float>({4, 1}, {1, 2, 3, 4}));
         }},
        {"a text",
         [](Graph& g) {
           g.values[3].constant = make_dense(Tensor::strings({2}, {"a", "c"}));
         }},
        {"a name", [](Graph& g) { g.values[2].name = "v"; }},
        {"an operator", [](Graph& g) { g.main.nodes[0].op_type = "Gemm"; }},
        {"a whole number", [](Graph& g) { g.main.nodes[0].set("transB", int64_t{0}); }},
        {"a float", [](Graph& g) { g.main.nodes[0].set("alpha", 2.0F); }},
        {"a list",
         [](Graph& g) {
           g.main.nodes[0].set("axes", std::vector<int64_t>{1, 2});
         }},
        {"an edge",
         [](Graph& g) {
           g.main.nodes[0].inputs = {0, 2};
         }},
    };
    for (const auto& [what, change] : changes) {
      CAPTURE(what);
      Model model = small_model();
      change(model.graph);
      CHECK(fingerprint(model) != print);
    }
  }

  TEST_CASE("documentation and the file's place do not count") {
    Model model = small_model();
    model.doc = "words";
    model.path = "elsewhere";
    CHECK(fingerprint(model) == fingerprint(small_model()));
  }
}

}  // namespace
}  // namespace terse
