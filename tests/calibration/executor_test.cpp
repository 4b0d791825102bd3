#include "calibration/executor.h"

#include <doctest/doctest.h>

#include <vector>

#include "calibration/plan.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

std::vector<float> floats(const Tensor& t) { return {t.values<float>().begin(), t.values<float>().end()}; }

/// Builds models in a few words.
struct Builder {
  Model model{.opsets = {{"", 23}}};

  ValueId input(std::string_view name, DType dtype, std::vector<Dimension> shape) {
    const ValueId id = model.graph.add(name);
    model.graph.value(id).type = ValueType{dtype, std::move(shape)};
    model.graph.main.inputs.push_back(id);
    return id;
  }
  ValueId constant(std::string_view name, Tensor values) {
    return model.graph.add_constant(name, make_dense(std::move(values)));
  }
  ValueId node(Block& block, std::string_view op, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {}) {
    const ValueId out = model.graph.add("out");
    block.nodes.push_back({.op_type = std::string(op),
                           .name = fmt::format("n{}", out),
                           .inputs = std::move(inputs),
                           .outputs = {out},
                           .attributes = std::move(attributes)});
    return out;
  }
  ValueId node(std::string_view op, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {}) {
    return node(model.graph.main, op, std::move(inputs), std::move(attributes));
  }
  ValueId output(ValueId id, std::string_view name) {
    model.graph.value(id).name = name;
    model.graph.main.outputs.push_back(id);
    return id;
  }
};

/// y = (a + b) @ W^T, z = a - b
Builder two_outputs() {
  Builder b;
  const ValueId x = b.input("a", DType::f32, {{.symbol = "n"}, {.size = 2}});
  const ValueId y = b.input("b", DType::f32, {{.symbol = "n"}, {.size = 2}});
  const ValueId w = b.constant("w", Tensor::of<float>({3, 2}, {1, 0, 0, 1, 1, 1}));
  const ValueId sum = b.node("Add", {x, y});
  b.output(b.node("MatMul", {sum, w}, {{"transB", int64_t{1}}}), "y");
  b.output(b.node("Sub", {x, y}), "z");
  return b;
}

std::string message_of(const Executor& executor, const Sample& sample) {
  try {
    (void)executor.run(sample);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const Tensor kRow = Tensor::of<float>({1, 2}, {1, 2});
const Tensor kOnes = Tensor::of<float>({1, 2}, {1, 1});

TEST_SUITE("calibration/executor") {
  TEST_CASE("all outputs are computed, in the graph's order") {
    const Executor executor(two_outputs().model);
    CHECK(executor.output_names() == std::vector<std::string>{"y", "z"});
    const auto out = executor.run({{"a", kRow}, {"b", kOnes}});
    REQUIRE(out.size() == 2);
    CHECK(floats(out[0]) == std::vector<float>{2, 3, 5});
    CHECK(floats(out[1]) == std::vector<float>{0, 1});
  }

  TEST_CASE("only what the wanted values need is planned and asked for") {
    Builder b = two_outputs();
    b.output(b.node("NoSuchOperator", {b.input("c", DType::f32, {})}), "unknown");
    const auto out = Executor(b.model, {.outputs = {"z"}}).run({{"a", kRow}, {"b", kOnes}});
    REQUIRE(out.size() == 1);
    CHECK(floats(out[0]) == std::vector<float>{0, 1});
  }

  TEST_CASE("an operator that cannot be run is named when the plan is made") {
    Builder b;
    b.output(b.node("NoSuchOperator", {b.input("a", DType::f32, {})}), "y");
    CHECK_THROWS_WITH_AS(Executor(b.model), "node 'n1': operator NoSuchOperator of domain 'ai.onnx' cannot be run",
                         Error);
    CHECK_THROWS_AS(Executor(two_outputs().model, {.outputs = {"nowhere"}}), Error);
  }

  TEST_CASE("samples are checked against the declared inputs") {
    const Executor executor(two_outputs().model);
    const Tensor wide = Tensor::of<float>({1, 3}, {1, 2, 3});
    const Tensor tall = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
    CHECK(message_of(executor, {}) == "the sample lacks the inputs a, b");
    CHECK(message_of(executor, {{"a", kRow}, {"b", kOnes}, {"d", kOnes}}) == "the graph has no input 'd', it has a, b");
    CHECK(message_of(executor, {{"a", kRow}, {"b", Tensor::of<int64_t>({1, 2}, {1, 2})}}) ==
          "input 'b' is i64, expected f32");
    CHECK(message_of(executor, {{"a", wide}, {"b", kOnes}}) == "input 'a' has shape [1,3], expected [n,2] where n = 1");
    CHECK(message_of(executor, {{"a", kRow}, {"b", tall}}) == "input 'b' has shape [2,2], expected [n,2] where n = 1");
  }

  TEST_CASE("an operator's error names the node") {
    Builder b;
    const ValueId x = b.input("x", DType::f32, {{.symbol = "n"}});
    b.output(b.node("Add", {x, b.constant("c", Tensor::of<float>({2}, {1, 2}))}), "y");
    CHECK(message_of(Executor(b.model), {{"x", Tensor::of<float>({3}, {1, 2, 3})}}) ==
          "node 'n2': shapes [3] and [2] do not broadcast");
  }

  TEST_CASE("values live until their last reader has run, outputs until the end") {
    const Builder b = two_outputs();
    const Plan plan(b.model, {});
    Frame frame = plan.make_frame();
    load_sample(plan, {{"a", kRow}, {"b", kOnes}}, frame);
    const auto alive = [&] {
      std::vector<std::string> names;
      for (size_t i = 0; i < frame.size(); ++i) {
        if (!frame[i].empty()) {
          names.push_back(plan.graph().values[i].name);
        }
      }
      return names;
    };
    const std::vector<std::vector<std::string>> expected = {{"a", "b", "out"}, {"a", "b", "y"}, {"y", "z"}};
    REQUIRE(plan.steps().size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      plan.run(plan.steps()[i], frame);
      CHECK(alive() == expected[i]);
    }
  }

  TEST_CASE("If runs the branch that the condition selects, on values of the outer graph") {
    Builder b;
    const ValueId condition = b.input("condition", DType::boolean, {});
    const ValueId x = b.input("x", DType::f32, {{.size = 2}});
    const ValueId one = b.constant("one", Tensor::scalar(1.0F));
    const ValueId y = b.node("Add", {x, one});
    const auto then_branch = std::make_shared<Block>();
    then_branch->outputs = {b.node(*then_branch, "Add", {b.node(*then_branch, "Mul", {y, y}), one})};
    const auto else_branch = std::make_shared<Block>();
    else_branch->outputs = {y};
    b.output(b.node("If", {condition}, {{"else_branch", else_branch}, {"then_branch", then_branch}}), "z");
    const Executor executor(b.model);
    const Tensor input = Tensor::of<float>({2}, {1, 2});
    CHECK(floats(executor.run({{"condition", Tensor::of<bool>({}, {true})}, {"x", input}})[0]) ==
          std::vector<float>{5, 10});
    CHECK(floats(executor.run({{"condition", Tensor::of<bool>({}, {false})}, {"x", input}})[0]) ==
          std::vector<float>{2, 3});
  }

  TEST_CASE("Loop carries values, counts, and stacks what each iteration gives") {
    Builder b;
    const ValueId x = b.input("x", DType::f32, {});
    const ValueId trips = b.constant("trips", Tensor::scalar<int64_t>(3));
    const auto body = std::make_shared<Block>();
    const ValueId iteration = b.model.graph.add("iteration");
    const ValueId condition = b.model.graph.add("condition");
    const ValueId state = b.model.graph.add("state");
    body->inputs = {iteration, condition, state};
    const ValueId next = b.node(*body, "Add", {state, x});
    const ValueId square = b.node(*body, "Mul", {next, next});
    body->outputs = {condition, next, square};
    const ValueId last = b.model.graph.add("last");
    const ValueId all = b.model.graph.add("all");
    b.model.graph.main.nodes.push_back(
        {.op_type = "Loop", .inputs = {trips, kNoValue, x}, .outputs = {last, all}, .attributes = {{"body", body}}});
    b.model.graph.main.outputs = {last, all};
    const auto out = Executor(b.model).run({{"x", Tensor::scalar(2.0F)}});
    CHECK(floats(out[0]) == std::vector<float>{8});
    CHECK(floats(out[1]) == std::vector<float>{16, 36, 64});
    CHECK(out[1].shape() == Shape{3});
  }

  TEST_CASE("half precision is computed in f32 and rounded once a node") {
    Builder b;
    const ValueId x = b.input("x", DType::f16, {{.size = 1}, {.size = 2}});
    const auto w = from_f32(Tensor::of<float>({1, 2}, {1, 1}), DType::f16);
    b.output(b.node("MatMul", {x, b.constant("w", w)}, {{"transB", int64_t{1}}}), "y");
    const auto in = from_f32(Tensor::of<float>({1, 2}, {2048, 1}), DType::f16);
    const auto out = Executor(b.model).run({{"x", in}})[0];
    CHECK(out.dtype() == DType::f16);
    CHECK(floats(to_f32(out)) == std::vector<float>{2048});  // 2049 is no f16; ties go to even
  }

  TEST_CASE("an f16 weight under f32 activations multiplies as f32") {
    Builder b;
    const ValueId x = b.input("x", DType::f32, {{.size = 1}, {.size = 2}});
    const auto w = from_f32(Tensor::of<float>({1, 2}, {1, 1}), DType::f16);
    b.output(b.node("MatMul", {x, b.constant("w", w)}, {{"transB", int64_t{1}}}), "y");
    CHECK(floats(Executor(b.model).run({{"x", Tensor::of<float>({1, 2}, {2048, 1})}})[0]) == std::vector<float>{2049});
  }

  TEST_CASE("a constant is computed with in the type that the graph gives it, whatever it is stored in") {
    Builder b;
    const ValueId x = b.input("x", DType::f32, {{.size = 2}});
    const ValueId half = b.constant("half", from_f32(Tensor::of<float>({2}, {1, 2}), DType::f16));
    b.model.graph.value(half).type = ValueType{.dtype = DType::f32};
    b.output(b.node("Add", {x, half}), "y");
    CHECK(floats(Executor(b.model).run({{"x", Tensor::of<float>({2}, {2048, 0})}})[0]) == std::vector<float>{2049, 2});
  }

  TEST_CASE("rows of an encoded table are decoded as they are asked for") {
    AffineEncoding affine{.bits = 8, .group_rows = 1, .group_columns = 2};
    affine.codes = Tensor::of<uint8_t>({3, 2}, {128, 129, 130, 131, 0, 255});
    affine.scales = Tensor::of<Half>({3, 1}, {to_half(1), to_half(2), to_half(0.5F)});
    Builder b;
    const ValueId ids = b.input("ids", DType::i64, {{.symbol = "n"}});
    const ValueId table =
        b.model.graph.add_constant("table", std::make_shared<Encoding>(Encoding{.shape = {3, 2}, .form = affine}));
    b.output(b.node("Gather", {table, ids}), "y");
    const Executor executor(b.model);
    const auto out = executor.run({{"ids", Tensor::of<int64_t>({2}, {-1, 1})}})[0];
    CHECK(out.shape() == Shape{2, 2});
    CHECK(floats(out) == std::vector<float>{-64, 63.5F, 4, 6});
    CHECK_THROWS_AS((void)executor.run({{"ids", Tensor::of<int64_t>({1}, {3})}}), Error);
    b.model.graph.value(table).type = ValueType{.dtype = DType::f16};
    CHECK(Executor(b.model).run({{"ids", Tensor::of<int64_t>({2}, {-1, 1})}})[0].dtype() == DType::f16);
  }

  TEST_CASE("blocks of a GGUF type are multiplied by, and rows of them looked up") {
    Tensor blocks = Tensor::make(DType::u8, {2, 34});  // Q8_0: the scale in f16, then 32 signed bytes
    const auto bytes = blocks.mutable_values<uint8_t>();
    bytes[1] = 0x3c;  // 1
    bytes[2] = 5;
    bytes[34] = 0;
    bytes[35] = 0x40;  // 2
    bytes[37] = 0xfd;  // -3
    Builder b;
    const ValueId ids = b.input("ids", DType::i64, {{.symbol = "n"}});
    const ValueId table = b.model.graph.add_constant(
        "table", std::make_shared<Encoding>(
                     Encoding{.shape = {2, 32}, .form = BlockEncoding{.type = BlockType::q8_0, .blocks = blocks}}));
    const ValueId rows = b.output(b.node("Gather", {table, ids}), "rows");
    b.output(b.node("MatMul", {rows, table}, {{"transB", int64_t{1}}}), "scores");
    const auto out = Executor(b.model).run({{"ids", Tensor::of<int64_t>({2}, {1, 0})}});
    CHECK(out[0].values<float>()[1] == -6);
    CHECK(out[0].values<float>()[32] == 5);
    CHECK(floats(out[1]) == std::vector<float>{0, 36, 25, 0});
  }
}

}  // namespace
}  // namespace terse::calibration
