#include "formats/onnx/canonical.h"

#include <doctest/doctest.h>

#include <numeric>

#include "tests/formats/graph_sketch.h"

namespace terse::onnx {
namespace {

struct Sketch : GraphSketch {
  void run() {
    canonicalize(graph);
    sort_and_validate(graph);
  }

  const Node& made(std::string_view output) const { return *Dataflow(graph).producer(*graph.find(output)); }
  /// The name of input `index` of the node that makes `output`.
  std::string read_by(std::string_view output, size_t index) const {
    return graph.value(made(output).inputs[index]).name;
  }
};

/// The transpose of `weight`'s numbers as a matrix of its own.
Tensor transposed(const Tensor& matrix) {
  const int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
  Tensor result = Tensor::make(DType::f32, {columns, rows});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      result.mutable_values<float>()[static_cast<size_t>(c * rows + r)] =
          matrix.values<float>()[static_cast<size_t>(r * columns + c)];
    }
  }
  return result;
}

bool is_transposed(const Value& value) { return value.constant->dense()->transposed; }

TEST_SUITE("formats/onnx/canonical") {
  TEST_CASE("identities go, outputs keep their names") {
    Sketch s;
    const ValueId x = s.input("x");
    const ValueId a = s.node("Neg", {x}, "a");
    const ValueId b = s.node("Identity", {a}, "b");
    const ValueId y = s.node("Identity", {b}, "y");
    const ValueId z = s.node("Abs", {b}, "z");
    const ValueId same = s.node("Identity", {x}, "same");
    const ValueId again = s.node("Identity", {a}, "again");
    for (const ValueId id : {y, z, same, again}) {
      s.output(id);
    }
    s.run();
    CHECK(s.made("y").op_type == "Neg");
    CHECK(s.read_by("z", 0) == "y");
    CHECK(s.read_by("same", 0) == "x");   // an input cannot be called otherwise,
    CHECK(s.read_by("again", 0) == "y");  // nor can an output have two names
    CHECK(s.graph.main.nodes.size() == 4);
  }

  TEST_CASE("a constant right operand gets its logical shape and the product says so") {
    Sketch s;
    const ValueId x = s.input("x");
    s.output(s.node("MatMul", {x, s.weight("w", {2, 3})}, "y"));
    s.output(s.node("Gemm", {x, s.weight("g", {2, 5}), s.weight("c", {5})}, "z", {{"alpha", 2.0F}}));
    s.output(s.node("Gemm", {x, s.weight("h", {5, 2})}, "t", {{"transB", int64_t{1}}}));
    s.run();
    CHECK(s.value("w").constant->shape == Shape{3, 2});
    CHECK(is_transposed(s.value("w")));
    CHECK(decode(*s.value("w").constant).values<float>()[1] == 4.0F);
    CHECK(s.value("w").type->dtype == DType::f32);
    CHECK(s.made("y").get_int("transB", 0) == 1);
    CHECK(s.value("g").constant->shape == Shape{5, 2});
    CHECK(s.made("z").get_int("transB", 0) == 1);
    CHECK(s.made("z").get_float("alpha", 0) == 2.0F);
    CHECK(s.value("h").constant->shape == Shape{5, 2});
    CHECK_FALSE(is_transposed(s.value("h")));
    CHECK(s.made("t").get_int("transB", 0) == 1);
  }

  TEST_CASE("a left operand stays as it stands") {
    Sketch s;
    s.output(s.node("MatMul", {s.weight("w", {3, 2}), s.input("x")}, "y"));
    s.run();
    CHECK(s.value("w").constant->shape == Shape{3, 2});
    CHECK_FALSE(is_transposed(s.value("w")));
    CHECK(s.made("y").find("transB") == nullptr);
  }

  TEST_CASE("chains between a weight and its use are folded") {
    Sketch s;
    const ValueId x = s.input("x");
    const ValueId stored = s.graph.add_constant("w", make_dense(from_f32(Tensor::make(DType::f32, {12}), DType::f16)));
    const ValueId flat = s.node("Unsqueeze", {stored, s.ints("first", {0})}, "flat");
    const ValueId matrix = s.node("Reshape", {flat, s.ints("shape", {3, -1})}, "matrix");
    const ValueId turned = s.node("Transpose", {matrix}, "turned");
    const ValueId wide = s.node("Cast", {turned}, "wide", {{"to", int64_t{1}}});
    s.output(s.node("MatMul", {x, wide}, "y"));
    s.run();
    // A vector is no matrix yet: Unsqueeze stays, and with it whatever hangs on it.
    CHECK(s.made("matrix").op_type == "Reshape");

    Sketch t;
    const ValueId half = t.graph.add_constant("w", make_dense(from_f32(Tensor::make(DType::f32, {1, 12}), DType::f16)));
    const ValueId reshaped = t.node("Reshape", {half, t.ints("shape", {3, -1})}, "matrix");
    const ValueId across = t.node("Transpose", {reshaped}, "turned");
    t.output(t.node("MatMul", {t.input("x"), t.node("Cast", {across}, "wide", {{"to", int64_t{1}}})}, "y"));
    t.run();
    CHECK(t.graph.main.nodes.size() == 1);
    const Value& weight = t.graph.value(t.made("y").inputs[1]);
    CHECK(weight.constant->shape == Shape{3, 4});
    CHECK(compute_dtype(*weight.constant) == DType::f16);
    CHECK(weight.type->dtype == DType::f32);
    CHECK_FALSE(is_transposed(weight));
  }

  TEST_CASE("a weight keeps its name through what is folded, however many uses it has") {
    Sketch s;
    const ValueId x = s.input("x"), w = s.weight("layer.weight", {16, 8});
    s.output(s.node("MatMul", {x, s.node("Transpose", {w}, "val_1")}, "y"));
    s.output(s.node("MatMul", {x, s.node("Transpose", {w}, "val_2")}, "z"));
    const ValueId once = s.node("Transpose", {s.weight("once.weight", {3, 5})}, "val_3");
    s.output(s.node("MatMul", {x, s.node("Unsqueeze", {once, s.ints("axes", {0})}, "val_4")}, "t"));
    s.run();
    CHECK(s.read_by("y", 1) == "layer.weight");
    CHECK(s.read_by("z", 1) == "layer.weight");
    CHECK(s.read_by("t", 1) == "once.weight");
  }

  TEST_CASE("what would reorder or round numbers is not folded") {
    struct Row {
      const char* op;
      Shape shape;
      std::vector<Attribute> attributes;
    };
    const std::vector<Row> rows = {{"Transpose", {2, 3, 4}, {{"perm", std::vector<int64_t>{1, 0, 2}}}},
                                   {"Cast", {2, 3}, {{"to", int64_t{10}}}},
                                   {"Squeeze", {2, 3}, {{"axes", std::vector<int64_t>{0}}}},
                                   {"Flatten", {2, 3}, {{"axis", int64_t{7}}}},
                                   {"Unsqueeze", {2, 3}, {{"axes", std::vector<int64_t>{9}}}}};
    for (const Row& row : rows) {
      CAPTURE(row.op);
      Sketch s;
      const ValueId made = s.node(row.op, {s.weight("w", row.shape)}, "made", row.attributes);
      s.output(s.node("Add", {s.input("x"), made}, "y"));
      s.run();
      CHECK(s.made("made").op_type == row.op);
    }
  }

  TEST_CASE("a tied table read by Gather and, transposed, by a product is one value") {
    Sketch s;
    const ValueId table = s.weight("embed.weight", {16, 8});
    s.output(s.node("Gather", {table, s.input("ids")}, "rows"));
    s.output(s.node("MatMul", {s.input("x"), s.node("Transpose", {table}, "val_3")}, "logits"));
    s.run();
    CHECK(s.read_by("rows", 0) == "embed.weight");
    CHECK(s.read_by("logits", 1) == "embed.weight");
    CHECK(s.made("logits").get_int("transB", 0) == 1);
    CHECK(s.value("embed.weight").constant->shape == Shape{16, 8});
    CHECK_FALSE(is_transposed(s.value("embed.weight")));
    CHECK_FALSE(s.graph.find("val_3"));
  }

  TEST_CASE("a table stored twice, once transposed, is one value under its real name") {
    Sketch s;
    Tensor rows = Tensor::make(DType::f32, {40, 9});
    std::iota(rows.mutable_values<float>().begin(), rows.mutable_values<float>().end(), 1.0F);
    const ValueId across = s.graph.add_constant("onnx::MatMul_9", make_dense(transposed(rows)));
    const ValueId table = s.graph.add_constant("embed.weight", make_dense(rows));
    s.output(s.node("MatMul", {s.input("x"), across}, "logits"));
    s.output(s.node("Gather", {table, s.input("ids")}, "rows"));
    s.run();
    CHECK(s.read_by("logits", 1) == "embed.weight");
    CHECK(s.read_by("rows", 0) == "embed.weight");
    CHECK_FALSE(is_transposed(s.value("embed.weight")));
    CHECK_FALSE(s.graph.find("onnx::MatMul_9"));
  }

  TEST_CASE("one weight in both orientations: each use says its own") {
    Sketch s;
    const ValueId w = s.weight("w", {8, 16});
    s.output(s.node("MatMul", {s.input("x"), w}, "y"));
    s.output(s.node("MatMul", {s.input("z"), s.node("Transpose", {w}, "wt")}, "t"));
    s.run();
    CHECK(s.read_by("y", 1) == s.read_by("t", 1));
    CHECK(s.made("y").get_int("transB", 0) + s.made("t").get_int("transB", 0) == 1);
    CHECK(s.graph.value(s.made("y").inputs[1]).name == "w");
  }

  TEST_CASE("nearly equal matrices stay apart") {
    Sketch s;
    const ValueId x = s.input("x");
    Tensor rows = Tensor::make(DType::f32, {16, 16});
    Tensor other = Tensor::make(DType::f32, {16, 16});
    other.mutable_values<float>()[255] = 1;  // no sample looks there
    s.output(s.node("MatMul", {x, s.graph.add_constant("a", make_dense(rows))}, "y"));
    s.output(s.node("MatMul", {x, s.graph.add_constant("b", make_dense(other))}, "z"));
    s.run();
    CHECK(s.read_by("y", 1) == "a");
    CHECK(s.read_by("z", 1) == "b");
  }

  TEST_CASE("experts picked for a right operand get logical shapes") {
    Sketch s;
    const ValueId x = s.input("x"), chosen = s.input("chosen");
    const ValueId picked = s.node("Gather", {s.weight("w", {4, 2, 3}), chosen}, "picked");
    s.output(s.node("MatMul", {x, picked}, "y"));
    const ValueId left = s.node("Gather", {s.weight("v", {4, 3, 2}), chosen}, "left");
    s.output(s.node("MatMul", {left, x}, "z"));
    s.run();
    CHECK(s.value("w").constant->shape == Shape{4, 3, 2});
    CHECK(s.made("y").get_int("transB", 0) == 1);
    CHECK(s.value("v").constant->shape == Shape{4, 3, 2});
    CHECK_FALSE(is_transposed(s.value("v")));
  }

  TEST_CASE("a constant that is an output keeps its name and shape") {
    Sketch s;
    const ValueId w = s.weight("w", {8, 16});
    s.output(w);
    s.output(s.node("MatMul", {s.input("x"), w}, "y"));
    s.run();
    CHECK(s.value("w").constant->shape == Shape{8, 16});
    CHECK(s.made("y").get_int("transB", 0) == 1);
    CHECK(s.graph.value(s.made("y").inputs[1]).constant->shape == Shape{16, 8});
  }
}

}  // namespace
}  // namespace terse::onnx
