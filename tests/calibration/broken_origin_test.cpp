#include "calibration/broken_origin.h"

#include <doctest/doctest.h>

#include <cmath>

#include "calibration/walk.h"

namespace terse::calibration {
namespace {

/// x [2, 3] -> Log -> Add mask -> Softmax -> MatMul w1 -> Exp -> MatMul w2; the mask holds minus infinity.
struct Chain {
  Model model{.opsets = {{"", 23}}};
  Graph& graph = model.graph;
  ValueId x = graph.add("x");
  ValueId mask = graph.add_constant("mask", make_dense(Tensor::of<float>({1, 3}, {0, -INFINITY, 0})));
  ValueId bias = graph.add_constant("bias", make_dense(Tensor::of<float>({3}, {0, 0, 0})));
  ValueId w1 = matrix("w1"), w2 = matrix("w2");
  ValueId logarithm = node("log", "Log", {x});
  ValueId masked = node("add_mask", "Add", {logarithm, mask});
  ValueId probabilities = node("softmax", "Softmax", {masked});
  ValueId linear = node("linear", "MatMul", {probabilities, w1});
  ValueId shifted = node("add_bias", "Add", {linear, bias});
  ValueId exponential = node("exp", "Exp", {shifted});
  ValueId last = node("last", "MatMul", {exponential, w2});

  Chain() {
    graph.value(x).type = ValueType{DType::f32, std::vector<Dimension>{{.symbol = "n"}, {.size = 3}}};
    graph.main.inputs = {x};
    graph.main.outputs = {last};
  }

  ValueId matrix(const char* name) {
    return graph.add_constant(name, make_dense(Tensor::of<float>({3, 3}, {1, 2, 0, -1, 1, 1, 0, 0, 2})));
  }

  ValueId node(const char* name, const char* op, std::vector<ValueId> inputs) {
    const ValueId out = graph.add(std::string(name) + "_out");
    Node made{.op_type = op, .inputs = std::move(inputs), .outputs = {out}};
    made.name = name;
    if (made.op_type == "MatMul") {
      made.attributes = {{"transB", int64_t{1}}};
    }
    graph.main.nodes.push_back(std::move(made));
    return out;
  }

  /// What a walk over seven good samples and this one says.
  std::string complaint(std::initializer_list<float> numbers) const {
    std::vector<Sample> samples(7, {{"x", Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})}});
    samples.push_back({{"x", Tensor::of<float>({2, 3}, numbers)}});
    try {
      Walk(model, samples, {w1, w2}).run([](const Barrier&, const Statistics&) {});
      return "";
    } catch (const Error& error) {
      CHECK(error.kind() == Kind::input);
      return error.what();
    }
  }
};

TEST_SUITE("calibration/broken_origin") {
  TEST_CASE("masks of minus infinity are nothing to complain of") {
    CHECK(Chain().complaint({1, 1, 1, 2, 2, 2}).empty());
  }

  TEST_CASE("the node that makes the first number that is not finite is named, not the one that trips over it") {
    CHECK(Chain().complaint({1, 1, 1, -1, 2, 2}) ==
          "calibration sample 7: node 'log': makes a number that is not finite");
    // The only unmasked numbers are log(0): a row of minus infinities, of which Softmax makes NaN.
    CHECK(Chain().complaint({1, 1, 1, 0, 2, 0}) ==
          "calibration sample 7: node 'softmax': makes a number that is not finite");
  }

  TEST_CASE("what a later segment of the walk makes is named as well") {
    Chain chain;
    chain.graph.value(chain.bias).constant = make_dense(Tensor::of<float>({3}, {0, 1000, 0}));
    CHECK(chain.complaint({1, 1, 1, 2, 2, 2}) == "calibration sample 0: node 'exp': makes a number that is not finite");
  }

  TEST_CASE("weights and inputs that hold such numbers are named themselves") {
    Chain chain;
    CHECK(chain.complaint({1, 1, 1, 2, 2, NAN}) == "calibration sample 7: input 'x' holds a number that is not finite");
    chain.graph.value(chain.bias).constant = make_dense(Tensor::of<float>({3}, {0, NAN, 0}));
    CHECK(chain.complaint({1, 1, 1, 2, 2, 2}) ==
          "calibration sample 0: weight 'bias' holds a number that is not finite");
    chain.graph.value(chain.w1).constant = make_dense(Tensor::of<float>({3, 3}, {1, 2, 0, INFINITY, 1, 1, 0, 0, 2}));
    CHECK(chain.complaint({1, 1, 1, 2, 2, 2}).find("holds a number that is not finite") != std::string::npos);
  }
}

}  // namespace
}  // namespace terse::calibration
