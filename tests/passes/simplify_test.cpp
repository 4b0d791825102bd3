#include "passes/simplify.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "calibration/executor.h"

namespace terse::passes {
namespace {

struct Sketch {
  Model model{.opsets = {{"", 17}}, .ir_version = 8};
  Graph& graph = model.graph;

  ValueId input(std::string_view name, std::vector<Dimension> shape) {
    const ValueId id = graph.add(name);
    graph.value(id).type = ValueType{DType::f32, std::move(shape)};
    graph.main.inputs.push_back(id);
    return id;
  }
  template <typename T>
  ValueId constant(std::string_view name, Shape shape, std::initializer_list<T> values) {
    return graph.add_constant(name, make_dense(Tensor::of<T>(std::move(shape), values)));
  }
  ValueId node(std::string op, std::vector<ValueId> inputs, std::string_view output,
               std::vector<Attribute> attributes = {}) {
    const ValueId out = graph.add(output);
    graph.main.nodes.push_back(
        {.op_type = std::move(op), .inputs = std::move(inputs), .outputs = {out}, .attributes = std::move(attributes)});
    return out;
  }
  void output(ValueId id) { graph.main.outputs.push_back(id); }

  /// The operators that are left, in order.
  std::vector<std::string> simplified() {
    simplify(model);
    sort_and_validate(graph);
    std::vector<std::string> ops;
    for (const Node& n : graph.main.nodes) {
      ops.push_back(n.op_type);
    }
    return ops;
  }
  std::vector<float> run(const Tensor& x) const {
    const Tensor y = calibration::Executor(model).run({{"x", x}}).front();
    return {y.values<float>().begin(), y.values<float>().end()};
  }
};

using Ops = std::vector<std::string>;

TEST_SUITE("passes/simplify") {
  TEST_CASE("what depends on constants alone is computed") {
    Sketch s;
    const ValueId x = s.input("x", {{.size = 2}});
    const ValueId half = s.constant<float>("half", {1}, {0.5F});
    const ValueId sum = s.node("Add", {half, s.constant<float>("three", {1}, {3})}, "sum");
    const ValueId squared = s.node("Mul", {sum, sum}, "squared");
    s.output(s.node("Mul", {x, squared}, "y"));
    CHECK(s.simplified() == Ops{"Mul"});
    CHECK(s.run(Tensor::of<float>({2}, {1, 2})) == std::vector<float>{12.25F, 24.5F});
    CHECK(s.graph.value(*s.graph.find("squared")).roles == std::vector<Role>{Role{}});
  }

  TEST_CASE("weights with roles and results of any size are not computed away") {
    Sketch s;
    const ValueId x = s.input("x", {{.size = 2}});
    const ValueId gain = s.constant<float>("gain", {2}, {1, 2});
    s.graph.value(gain).roles = {{RoleKind::norm, 0}};
    s.output(s.node("Mul", {x, s.node("Add", {gain, s.constant<float>("one", {}, {1})}, "one_more")}, "y"));
    const ValueId huge = s.constant<int64_t>("huge", {2}, {int64_t{1} << 40, int64_t{1} << 40});
    s.output(s.node("ConstantOfShape", {huge}, "zeros"));
    s.output(s.node("Shape", {s.node("Expand", {gain, huge}, "wide")}, "z"));
    CHECK(s.simplified() == Ops{"Add", "Mul", "ConstantOfShape", "Expand", "Shape"});
  }

  TEST_CASE("nodes that change nothing go") {
    struct Row {
      const char* op;
      std::vector<Attribute> attributes;
      std::vector<float> second;  ///< a number as second input
      bool goes;
    };
    const std::vector<Row> rows = {
        {"Add", {}, {0}, true},
        {"Add", {}, {1}, false},
        {"Sub", {}, {0}, true},
        {"Mul", {}, {1}, true},
        {"Mul", {}, {0}, false},
        {"Div", {}, {1}, true},
        {"Cast", {{"to", int64_t{1}}}, {}, true},
        {"Cast", {{"to", int64_t{10}}}, {}, false},
        {"Transpose", {{"perm", std::vector<int64_t>{0, 1}}}, {}, true},
        {"Transpose", {}, {}, false},
        {"Concat", {{"axis", int64_t{0}}}, {}, true},
        {"Dropout", {}, {}, true},
        {"Identity", {}, {}, true},
    };
    for (const Row& row : rows) {
      CAPTURE(row.op);
      CAPTURE(row.goes);
      Sketch s;
      std::vector<ValueId> inputs = {s.input("x", {{.symbol = "n"}, {.size = 2}})};
      if (!row.second.empty()) {
        inputs.push_back(s.constant<float>("number", {}, {row.second[0]}));
      }
      s.output(s.node("Neg", {s.node(row.op, inputs, "same", row.attributes)}, "y"));
      CHECK(s.simplified().size() == (row.goes ? 1 : 2));
    }
  }

  TEST_CASE("a number that adds a dimension stays") {
    Sketch s;
    const ValueId x = s.input("x", {{.size = 2}});
    s.output(s.node("Neg", {s.node("Add", {x, s.constant<float>("zero", {1, 1}, {0})}, "sum")}, "y"));
    CHECK(s.simplified() == Ops{"Add", "Neg"});
  }

  TEST_CASE("Transposes and Reshapes in a row become one") {
    Sketch s;
    const ValueId x = s.input("x", {{.size = 2}, {.size = 3}, {.size = 4}});
    const ValueId a = s.node("Transpose", {x}, "a", {{"perm", std::vector<int64_t>{1, 2, 0}}});
    const ValueId b = s.node("Transpose", {a}, "b", {{"perm", std::vector<int64_t>{0, 2, 1}}});
    const ValueId c = s.node("Reshape", {b, s.constant<int64_t>("c_shape", {2}, {6, 4})}, "c");
    s.output(s.node("Reshape", {c, s.constant<int64_t>("y_shape", {1}, {-1})}, "y"));
    Tensor sample = Tensor::make(DType::f32, {2, 3, 4});
    for (int i = 0; i < 24; ++i) {
      sample.mutable_values<float>()[static_cast<size_t>(i)] = static_cast<float>(i);
    }
    const auto before = s.run(sample);
    CHECK(s.simplified() == Ops{"Transpose", "Reshape"});
    CHECK(s.run(sample) == before);
  }

  TEST_CASE("equal computations become one, outputs keep their names") {
    Sketch s;
    const ValueId x = s.input("x", {{.size = 2}});
    const ValueId a = s.node("Mul", {x, s.constant<float>("two", {}, {2})}, "a");
    const ValueId b = s.node("Mul", {x, s.constant<float>("deux", {}, {2})}, "b");
    s.output(s.node("Add", {s.node("Exp", {a}, "c"), s.node("Exp", {b}, "d")}, "y"));
    s.output(s.node("Softmax", {x}, "p", {{"axis", int64_t{0}}}));
    s.output(s.node("Softmax", {x}, "q", {{"axis", int64_t{-1}}}));
    s.output(s.node("Softmax", {x}, "r", {{"axis", int64_t{0}}}));
    CHECK(s.simplified() == Ops{"Mul", "Exp", "Add", "Softmax", "Softmax", "Identity"});
    CHECK(s.graph.value(s.graph.main.outputs[3]).name == "r");
  }

  TEST_CASE("real models compute what they computed, with fewer nodes where there were needless ones") {
    struct Row {
      const char* file;
      size_t most_nodes;
    };
    for (const Row& row : {Row{"dynamo.onnx", 329}, Row{"torchscript.onnx", 560}}) {  // of 329 and 657
      CAPTURE(row.file);
      Model model = open_model(std::string(TERSE_TESTDATA) + "/lm/" + row.file);
      const calibration::Sample sample = {{"input_ids", Tensor::of<int64_t>({1, 5}, {1, 7, 300, 12, 5})},
                                          {"attention_mask", Tensor::of<int64_t>({1, 5}, {1, 1, 1, 1, 1})}};
      const Tensor before = to_f32(calibration::Executor(model).run(sample).front());
      simplify(model);
      sort_and_validate(model.graph);
      CHECK(model.graph.main.nodes.size() <= row.most_nodes);
      const Tensor after = to_f32(calibration::Executor(model).run(sample).front());
      REQUIRE(after.shape() == before.shape());
      float worst = 0;
      for (size_t i = 0; i < after.values<float>().size(); ++i) {
        worst = std::max(worst, std::abs(after.values<float>()[i] - before.values<float>()[i]));
      }
      CHECK(worst < 1e-4F);
    }
  }

  TEST_CASE("traces of the exporter's machine go, module paths stay") {
    Sketch s;
    s.output(s.node("Neg", {s.input("x", {{.size = 2}})}, "y"));
    Node& node = s.graph.main.nodes.front();
    node.doc = "/opt/torch/nn/functional.py(2051): linear";
    node.metadata = {{"pkg.torch.onnx.stack_trace", "anything"},
                     {"pkg.torch.onnx.name_scopes", "['', 'layers.0']"},
                     {"note", "File \"model.py\", line 7"}};
    s.model.doc = "a model";
    drop_provenance(s.model);
    CHECK(s.graph.main.nodes.front().doc.empty());
    REQUIRE(s.graph.main.nodes.front().metadata.size() == 1);
    CHECK(s.graph.main.nodes.front().metadata[0].first == "pkg.torch.onnx.name_scopes");
    CHECK(s.model.doc == "a model");
  }
}

}  // namespace
}  // namespace terse::passes
