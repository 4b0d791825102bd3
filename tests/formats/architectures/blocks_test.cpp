#include "formats/architectures/blocks.h"

#include <doctest/doctest.h>

#include "formats/architectures/activations.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

Tensor filled(const Shape& shape, float value) {
  Tensor tensor = Tensor::make(DType::f32, shape);
  std::ranges::fill(tensor.mutable_values<float>(), value);
  return tensor;
}

struct Sketch {
  explicit Sketch(std::map<std::string, Tensor, std::less<>> tensors)
      : weights({.tensors = std::move(tensors), .metadata = {}, .files = {}}, "model.") {}

  Graph graph;
  Weights weights;
  OpBuilder builder{graph};
  Blocks blocks{builder, weights};
  ValueId x = builder.input("x", DType::f32, {});

  /// "MatMul(x, W) Add(MatMul, b)"
  std::string text() const {
    std::string all;
    for (const Node& node : graph.main.nodes) {
      all += fmt::format("{}{}(", all.empty() ? "" : " ", node.op_type);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        all += fmt::format("{}{}", i == 0 ? "" : ", ", graph.value(node.inputs[i]).name);
      }
      all += ")";
    }
    return all;
  }
};

constexpr Size kIn = {2, "hidden_size"};
constexpr Size kOut = {3, "intermediate_size"};

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_SUITE("formats/architectures/blocks") {
  TEST_CASE("linears take weight and bias below the scope") {
    Sketch s({{"model.layer.0.up.weight", filled({3, 2}, 1)}, {"model.layer.0.up.bias", filled({3}, 1)}});
    const OpBuilder::Scope scope(s.builder, "model.layer.0");
    s.blocks.linear(s.x, "up", {.out = kOut, .in = kIn});
    CHECK(s.text() == "MatMul(x, model.layer.0.up.weight) Add(model.layer.0.up/MatMul, model.layer.0.up.bias)");
    CHECK(s.graph.main.nodes[0].get_int("transB", 0) == 1);
  }

  TEST_CASE("a bias is looked for as its family wants it") {
    for (const auto& [bias, is_there, expected] :
         {std::tuple(Bias::none, true, "MatMul"), std::tuple(Bias::where_there, false, "MatMul"),
          std::tuple(Bias::where_there, true, "Add"), std::tuple(Bias::always, false, "Add")}) {
      CAPTURE(static_cast<int>(bias));
      std::map<std::string, Tensor, std::less<>> tensors = {{"up.weight", filled({3, 2}, 1)}};
      if (is_there) {
        tensors["up.bias"] = filled({3}, 1);
      }
      Sketch s(tensors);
      s.blocks.linear(s.x, "up", {.out = kOut, .in = kIn, .bias = bias});
      CHECK(s.graph.main.nodes.back().op_type == expected);
    }
  }

  TEST_CASE("an error of shape names the configuration's keys") {
    Sketch s({{"up.weight", filled({2, 3}, 1)}});
    CHECK(message_of([&] { s.blocks.linear(s.x, "up", {.out = kOut, .in = kIn}); }) ==
          "tensor up.weight has shape [2,3], expected [3,2] by intermediate_size, hidden_size");
  }

  TEST_CASE("norms find gamma and beta of old files") {
    Sketch s({{"LayerNorm.gamma", filled({2}, 1)}, {"LayerNorm.beta", filled({2}, 1)}});
    s.blocks.norm(s.x, "LayerNorm", {.kind = NormKind::layer, .width = kIn, .epsilon = 1e-12F});
    CHECK(s.text() == "LayerNormalization(x, LayerNorm.gamma, LayerNorm.beta)");
    CHECK(s.graph.main.nodes[0].get_float("epsilon", 0) == 1e-12F);
  }

  TEST_CASE("Gemma's norms multiply by one more than their weight") {
    Sketch s({{"norm.weight", filled({2}, 1)}});
    s.blocks.norm(s.x, "norm", {.kind = NormKind::rms_plus_one, .width = kIn, .epsilon = 1e-6F});
    CHECK(s.text() == "Add(norm.weight, float 1) RMSNormalization(x, norm/Add)");
  }

  TEST_CASE("feed-forwards with a gate activate the gate") {
    Sketch s(
        {{"wi_0.weight", filled({3, 2}, 1)}, {"wi_1.weight", filled({3, 2}, 1)}, {"wo.weight", filled({2, 3}, 1)}});
    s.blocks.feed_forward(s.x, {.gate = "wi_0",
                                .up = "wi_1",
                                .down = "wo",
                                .activation = "relu",
                                .width = kIn,
                                .inner = kOut,
                                .bias = Bias::none});
    CHECK(s.text() ==
          "MatMul(x, wi_0.weight) Relu(wi_0/MatMul) MatMul(x, wi_1.weight) Mul(Relu, wi_1/MatMul) MatMul(Mul, "
          "wo.weight)");
  }

  TEST_CASE("a head shares the table unless it has numbers of its own") {
    struct Row {
      std::optional<float> own;  ///< what its tensor is filled with
      Tie tie;
      std::string expected;
    };
    for (const auto& [own, tie, expected] :
         {Row{std::nullopt, Tie::by_default, "words.weight"}, Row{1.0F, Tie::by_default, "words.weight"},
          Row{2.0F, Tie::by_default, "head.weight"}, Row{1.0F, Tie::never, "head.weight"}}) {
      CAPTURE(own.value_or(0));
      std::map<std::string, Tensor, std::less<>> tensors = {{"words.weight", filled({3, 2}, 1)}};
      if (own) {
        tensors["head.weight"] = filled({3, 2}, *own);
      }
      Sketch s(tensors);
      s.blocks.embedding(s.x, "words", kOut, kIn);
      const ValueId weight = s.blocks.head_weight({.name = "head.weight",
                                                   .table = *s.graph.find("words.weight"),
                                                   .vocabulary = kOut,
                                                   .width = kIn,
                                                   .tie = tie});
      CHECK(s.graph.value(weight).name == expected);
      CHECK_NOTHROW(s.weights.check({}));
    }
  }

  TEST_CASE("an unknown activation is an error that lists the known ones") {
    Sketch s({});
    CHECK(message_of([&] { activation(s.builder, "gelu_exact", s.x); }) ==
          "activation 'gelu_exact' is none that this version knows: gelu, gelu_accurate, gelu_fast, gelu_new, "
          "gelu_python, gelu_python_tanh, gelu_pytorch_tanh, quick_gelu, relu, relu2, sigmoid, silu, swish, tanh");
  }
}

}  // namespace terse::architectures
