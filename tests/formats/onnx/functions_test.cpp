#include "formats/onnx/functions.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/formats/onnx/text_model.h"

namespace terse::onnx {
namespace {

/// "Add(x, y) -> z" for every node, in order.
std::vector<std::string> listing(const Graph& graph) {
  const auto names = [&](const std::vector<ValueId>& ids) {
    std::vector<std::string> list;
    list.reserve(ids.size());
    for (const ValueId id : ids) {
      list.push_back(id == kNoValue ? "" : graph.value(id).name);
    }
    return list;
  };
  std::vector<std::string> lines;
  for_each_node(graph.main, [&](const Node& node) {
    lines.push_back(fmt::format("{}({}) -> {}", node.op_type, fmt::join(names(node.inputs), ","),
                                fmt::join(names(node.outputs), ",")));
  });
  return lines;
}

/// Appends a field that ONNX 1.12 does not have.
template <typename Proto>
void add_newer_field(Proto& proto, int number, const std::string& bytes) {
  proto.mutable_unknown_fields()->AddLengthDelimited(number, bytes);
}

constexpr const char* kSquare = R"(
  functions { domain: "local" name: "Square" input: "a" output: "b" node { op_type: "Mul" input: ["a", "a"] output: "b" } }
)";

TEST_SUITE("formats/onnx/functions") {
  TEST_CASE("a call is replaced by the body, whose names begin with the call's") {
    const Model model = read_text_model(std::string(kSquare) + R"(
      functions { domain: "local" name: "Fourth" input: "a" output: "c" opset_import { domain: "local" version: 1 }
        opset_import { domain: "other" version: 3 } opset_import { version: 18 }
        node { domain: "local" op_type: "Square" name: "first" input: "a" output: "b" }
        node { domain: "local" op_type: "Square" input: "b" output: "c" } }
      graph { input { name: "x" } output { name: "y" }
        node { domain: "local" op_type: "Fourth" name: "call" input: "x" output: "y" } })");
    CHECK(listing(model.graph) == std::vector<std::string>{"Mul(x,x) -> call/b", "Mul(call/b,call/b) -> y"});
    CHECK(model.opsets == std::map<std::string, int64_t>{{"", 20}, {"other", 3}});
  }

  TEST_CASE("two calls share no names, even if they are called alike") {
    const Model model = read_text_model(R"(
      functions { domain: "local" name: "F" input: "a" output: "c"
        node { op_type: "Neg" name: "n" input: "a" output: "b" } node { op_type: "Abs" input: "b" output: "c" } }
      graph { input { name: "x" } output { name: "z" }
        node { domain: "local" op_type: "F" name: "f" input: "x" output: "y" }
        node { domain: "local" op_type: "F" name: "f" input: "y" output: "z" } })");
    CHECK(listing(model.graph) ==
          std::vector<std::string>{"Neg(x) -> f/b", "Abs(f/b) -> y", "Neg(y) -> f/b_1", "Abs(f/b_1) -> z"});
    CHECK(model.graph.main.nodes[0].name == "f/n");
  }

  TEST_CASE("attributes of the body come from the call, then from the defaults, else they are left out") {
    auto proto = from_text(R"(ir_version: 10 opset_import { version: 20 }
      functions { domain: "local" name: "F" input: "a" output: "b" attribute: ["alpha", "gamma"]
        node { op_type: "Op" input: "a" output: "b"
          attribute { name: "alpha" ref_attr_name: "alpha" type: FLOAT }
          attribute { name: "beta" ref_attr_name: "delta" type: INT }
          attribute { name: "gamma" ref_attr_name: "gamma" type: INT } } }
      graph { input { name: "x" } output { name: "y" }
        node { domain: "local" op_type: "F" input: "x" output: "y" attribute { name: "alpha" f: 0.5 type: FLOAT } } })");
    const auto default_value = from_text<::onnx::AttributeProto>(R"(name: "delta" i: 3 type: INT)");
    add_newer_field(*proto.mutable_functions(0), 11, default_value.SerializeAsString());
    const Model model = read_bytes(proto.SerializeAsString());
    const Node& node = model.graph.main.nodes.at(0);
    CHECK(node.get_float("alpha", 0) == 0.5F);
    CHECK(node.get_int("beta", 0) == 3);
    CHECK(node.find("gamma") == nullptr);
  }

  TEST_CASE("a Constant in a body takes its number from the call") {
    const Model model = read_text_model(R"(
      functions { domain: "local" name: "F" output: "b" attribute: "v"
        node { op_type: "Constant" output: "b" attribute { name: "value_int" ref_attr_name: "v" type: INT } } }
      graph { output { name: "y" }
        node { domain: "local" op_type: "F" output: "y" attribute { name: "v" i: 7 type: INT } } })");
    CHECK(model.graph.main.nodes.empty());
    const Value& y = model.graph.value(model.graph.main.outputs[0]);
    CHECK(to_int64s(y.constant->dense()->values) == std::vector<int64_t>{7});
  }

  TEST_CASE("overloads are different functions") {
    auto proto = from_text(R"(ir_version: 10 opset_import { version: 20 }
      functions { domain: "local" name: "F" input: "a" output: "b" node { op_type: "Neg" input: "a" output: "b" } }
      functions { domain: "local" name: "F" input: "a" output: "b" node { op_type: "Abs" input: "a" output: "b" } }
      graph { input { name: "x" } output { name: "y" }
        node { domain: "local" op_type: "F" input: "x" output: "y" } })");
    CHECK(error_of(proto.SerializeAsString()) == "two functions are called 'F' in domain 'local'");
    add_newer_field(*proto.mutable_functions(1), 13, "other");
    add_newer_field(*proto.mutable_graph()->mutable_node(0), 8, "other");
    CHECK(listing(read_bytes(proto.SerializeAsString()).graph) == std::vector<std::string>{"Abs(x) -> y"});
  }

  TEST_CASE("optional inputs and outputs may be left out, and an input may be an output") {
    const Model model = read_text_model(R"(
      functions { domain: "local" name: "F" input: ["a", "b"] output: ["c", "a", "d"]
        node { op_type: "Clip" input: ["a", "b"] output: "c" } node { op_type: "Neg" input: "a" output: "d" } }
      graph { input { name: "x" } output { name: "y" } output { name: "z" }
        node { domain: "local" op_type: "F" name: "f" input: "x" output: ["y", "z"] } })");
    CHECK(listing(model.graph) == std::vector<std::string>{"Clip(x,) -> y", "Neg(x) -> f/d", "Identity(x) -> z"});
  }

  TEST_CASE("subgraphs of a body see the body's names and attributes") {
    const Model model = read_text_model(R"(
      functions { domain: "local" name: "F" input: ["c", "a"] output: "b" attribute: "to"
        node { op_type: "If" input: "c" output: "b" attribute { name: "then_branch" type: GRAPH g { output { name: "t" }
          node { op_type: "Cast" input: "a" output: "t" attribute { name: "to" ref_attr_name: "to" type: INT } } } } } }
      graph { input { name: "cond" } input { name: "x" } output { name: "y" }
        node { domain: "local" op_type: "F" name: "f" input: ["cond", "x"] output: "y"
          attribute { name: "to" i: 10 type: INT } } })");
    CHECK(listing(model.graph) == std::vector<std::string>{"If(cond) -> y", "Cast(x) -> f/t"});
  }

  TEST_CASE("a body does not see the caller's values") {
    CHECK(error_of_text(R"(
      functions { domain: "local" name: "F" output: "b" node { op_type: "Neg" input: "x" output: "b" } }
      graph { input { name: "x" } output { name: "y" } node { domain: "local" op_type: "F" name: "f" output: "y" } })") ==
          "node Neg -> 'f/b': input 'x' is made by no node and is no initialiser");
  }

  TEST_CASE("calls that do not fit their function are errors") {
    const std::string graph = "graph { input { name: \"x\" } output { name: \"y\" } node { domain: \"local\" ";
    CHECK(error_of_text(kSquare + graph + R"(op_type: "Square" input: ["x", "x"] output: "y" } })") ==
          "node Square -> 'y': 2 inputs, but the function has 1");
    CHECK(error_of_text(kSquare + graph + R"(op_type: "Square" input: "x" output: ["y", "z"] } })") ==
          "node Square -> 'y': 2 outputs, but the function has 1");
  }

  TEST_CASE("functions that call themselves are refused") {
    const std::string error = error_of_text(R"(
      functions { domain: "l" name: "A" input: "a" output: "b" node { domain: "l" op_type: "B" name: "n" input: "a" output: "b" } }
      functions { domain: "l" name: "B" input: "a" output: "b" node { domain: "l" op_type: "A" name: "n" input: "a" output: "b" } }
      graph { input { name: "x" } output { name: "y" } node { domain: "l" op_type: "A" name: "n" input: "x" output: "y" } })");
    CHECK(error.find("nested deeper than 64; does a function call itself?") != std::string::npos);
  }

  TEST_CASE("a few functions that would fill the memory are refused") {
    std::string text =
        R"(functions { domain: "l" name: "F0" input: "a" output: "b" node { op_type: "Neg" input: "a" output: "b" } })";
    for (int i = 1; i < 40; ++i) {
      const std::string call = fmt::format("node {{ domain: \"l\" op_type: \"F{}\" ", i - 1);
      text += fmt::format(
          R"(functions {{ domain: "l" name: "F{}" input: "a" output: "c" {} name: "n" input: "a" output: "b" }} {} name: "n" input: "b" output: "c" }} }})",
          i, call, call);
    }
    text +=
        R"(graph { input { name: "x" } output { name: "y" } node { domain: "l" op_type: "F39" name: "n" input: "x" output: "y" } })";
    const std::string error = error_of_text(text);
    CHECK(error.find("the calls of functions expand to more than 256 MiB") != std::string::npos);
  }

  TEST_CASE("a body that copies a long attribute too often is refused") {
    std::string body;
    for (int i = 0; i < 3000; ++i) {
      body += fmt::format(
          R"(node {{ op_type: "Op" output: "o{}" attribute {{ name: "s" ref_attr_name: "s" type: STRING }} }} )", i);
    }
    const std::string error = error_of_text(
        "functions { domain: \"l\" name: \"F\" attribute: \"s\" " + body +
        "} graph { node { domain: \"l\" op_type: \"F\" name: \"n\" attribute { name: \"s\" type: STRING s: \"" +
        std::string(100'000, 'x') + "\" } } }");
    CHECK(error.find("the calls of functions expand to more than 256 MiB") != std::string::npos);
  }
}

}  // namespace
}  // namespace terse::onnx
