#include "formats/onnx/reader.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "formats/error.h"
#include "tests/formats/onnx/text_model.h"

namespace terse::onnx {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

int64_t count_constants(const Graph& graph) {
  return std::count_if(graph.values.begin(), graph.values.end(), [](const Value& v) { return v.constant != nullptr; });
}

const Tensor& constant(const Model& model, std::string_view name) {
  return model.graph.value(model.graph.find(name).value()).constant->dense()->values;
}

std::vector<std::string> names(const Model& model, const std::vector<ValueId>& ids) {
  std::vector<std::string> list;
  std::ranges::transform(ids, std::back_inserter(list), [&](ValueId id) { return model.graph.value(id).name; });
  return list;
}

TEST_SUITE("formats/onnx/reader") {
  TEST_CASE("exported models have the nodes and initialisers that the onnx package counts") {
    struct Row {
      const char* file;
      int64_t nodes;      // without Constant
      int64_t constants;  // Constant nodes and initialisers
      int64_t opset;
    };
    for (const Row& expected :
         {Row{"lm/dynamo.onnx", 330, 61, 20}, Row{"lm/torchscript.onnx", 657, 389, 17},
          Row{"classifier/dynamo.onnx", 121, 59, 20}, Row{"classifier/torchscript.onnx", 189, 138, 17}}) {
      CAPTURE(expected.file);
      const Model model = read(kTestdata / expected.file);
      CHECK(std::ssize(model.graph.main.nodes) == expected.nodes);
      CHECK(count_constants(model.graph) == expected.constants);
      CHECK(model.opsets == std::map<std::string, int64_t>{{"", expected.opset}});
      CHECK(model.file_bytes == static_cast<int64_t>(std::filesystem::file_size(kTestdata / expected.file)));
      CHECK(names(model, model.graph.main.outputs) == std::vector<std::string>{"logits"});
    }
  }

  TEST_CASE("an exporter's module path is read from the metadata of nodes") {
    const Model model = read(kTestdata / "lm/dynamo.onnx");
    const auto& nodes = model.graph.main.nodes;
    const auto found = std::ranges::find_if(nodes, [](const Node& n) { return n.is("MatMul"); });
    REQUIRE(found != nodes.end());
    CHECK(std::ranges::any_of(found->metadata, [](const auto& entry) {
      return entry.first == "namespace" && entry.second.find("model.layers.0") != std::string::npos;
    }));
  }

  TEST_CASE("initialisers that are listed as inputs are no inputs") {
    const Model model = read_text_model(R"(graph {
      input { name: "x" } input { name: "W" type { tensor_type { elem_type: 1 } } } output { name: "y" }
      initializer { name: "W" data_type: 1 dims: 1 float_data: 2 doc_string: "weight" }
      node { op_type: "Mul" input: ["x", "W"] output: "y" } })");
    CHECK(names(model, model.graph.main.inputs) == std::vector<std::string>{"x"});
    CHECK(constant(model, "W").values<float>()[0] == 2);
    const Value& weight = model.graph.value(*model.graph.find("W"));
    CHECK(weight.doc == "weight");
    CHECK_FALSE(weight.type.has_value());
  }

  TEST_CASE("Constant nodes of every form are constants") {
    const Model model = read_text_model(R"(graph {
      node { op_type: "Constant" output: "tensor" attribute { name: "value" type: TENSOR t { data_type: 7 dims: 1 int64_data: 5 } } }
      node { op_type: "Constant" output: "int" attribute { name: "value_int" type: INT i: -3 } }
      node { op_type: "Constant" output: "ints" attribute { name: "value_ints" type: INTS ints: [1, 2] } }
      node { op_type: "Constant" output: "none" attribute { name: "value_ints" type: INTS } }
      node { op_type: "Constant" output: "float" attribute { name: "value_float" type: FLOAT f: 0.5 } }
      node { op_type: "Constant" output: "floats" attribute { name: "value_floats" type: FLOATS floats: [1, 2] } }
      node { op_type: "Constant" output: "string" attribute { name: "value_string" type: STRING s: "a" } }
      node { op_type: "Constant" output: "strings" attribute { name: "value_strings" type: STRINGS strings: ["a", "b"] } }
      node { op_type: "Constant" output: "sparse" attribute { name: "sparse_value" type: SPARSE_TENSOR sparse_tensor { dims: 3 } } }
      node { domain: "ai.onnx" op_type: "Constant" output: "undeclared" attribute { name: "value_int" i: 4 } }
    })");
    CHECK(to_int64s(constant(model, "tensor")) == std::vector<int64_t>{5});
    CHECK(to_int64s(constant(model, "int")) == std::vector<int64_t>{-3});
    CHECK(constant(model, "int").rank() == 0);
    CHECK(to_int64s(constant(model, "ints")) == std::vector<int64_t>{1, 2});
    CHECK(constant(model, "none").shape() == Shape{0});
    CHECK(constant(model, "float").values<float>()[0] == 0.5F);
    CHECK(constant(model, "floats").shape() == Shape{2});
    CHECK(constant(model, "string").string_values() == std::vector<std::string>{"a"});
    CHECK(constant(model, "strings").shape() == Shape{2});
    CHECK(to_int64s(constant(model, "undeclared")) == std::vector<int64_t>{4});
    REQUIRE(model.graph.main.nodes.size() == 1);
    CHECK(std::holds_alternative<OpaqueAttribute>(model.graph.main.nodes[0].find("sparse_value")->value));
  }

  TEST_CASE("subgraphs see outer values, and names they share with others get numbers") {
    const std::string branch = R"(g { output { name: "t" } initializer { name: "c" data_type: 7 int64_data: 1 }
      node { op_type: "Add" input: ["late", "c"] output: "t" } } })";
    const Model model = read_text_model(R"(graph { input { name: "cond" } output { name: "t" }
      node { op_type: "If" input: "cond" output: "t"
        attribute { name: "then_branch" type: GRAPH )" +
                                        branch + R"( attribute { name: "else_branch" type: GRAPH )" + branch + R"( }
      node { op_type: "Neg" input: "cond" output: "late" } })");
    REQUIRE(model.graph.main.nodes.size() == 2);
    CHECK(model.graph.main.nodes[0].is("Neg"));
    const auto& branch_read = std::get<std::shared_ptr<Block>>(model.graph.main.nodes[1].find("else_branch")->value);
    CHECK(names(model, branch_read->nodes.at(0).inputs) == std::vector<std::string>{"late", "c_1"});
    CHECK(names(model, branch_read->outputs) == std::vector<std::string>{"t_2"});
  }

  TEST_CASE("what the file says beside the graph is carried") {
    auto proto = from_text(R"(ir_version: 10 opset_import { domain: "ai.onnx" version: 21 } producer_name: "p"
      producer_version: "2" domain: "d" model_version: 3 doc_string: "doc" metadata_props { key: "k" value: "v" }
      training_info { initialization { name: "init" } }
      graph { name: "g" doc_string: "gd" output { name: "y" } input { name: "x" doc_string: "xd" type { tensor_type {
          elem_type: 22 shape { dim { dim_param: "batch" } dim { dim_value: 4 } dim { } dim { dim_value: -1 } } } } }
        value_info { name: "y" type { sequence_type { elem_type { tensor_type { elem_type: 1 } } } } }
        node { op_type: "Op" domain: "my" name: "n" doc_string: "nd" input: ["x", ""] output: ["y", ""]
          attribute { name: "t" type: TYPE_PROTO tp { tensor_type { elem_type: 1 } } } } })");
    for (auto* fields : {proto.mutable_graph()->mutable_input(0)->mutable_unknown_fields()}) {
      fields->AddLengthDelimited(
          4, from_text<::onnx::StringStringEntryProto>(R"(key: "a" value: "b")").SerializeAsString());
    }
    const std::string newer = "configuration";
    const std::string bytes = proto.SerializeAsString() + "\xd2\x01\x0d" + newer;  // field 26
    const Model model = read_bytes(bytes);
    CHECK(model.opsets == std::map<std::string, int64_t>{{"", 21}});
    CHECK(model.ir_version == 10);
    CHECK(model.producer_name + model.producer_version + model.domain + model.doc == "p2ddoc");
    CHECK(model.model_version == 3);
    CHECK(model.metadata == Metadata{{"k", "v"}});
    CHECK(model.opaque == from_text("training_info { initialization { name: \"init\" } }").SerializeAsString() +
                              "\xd2\x01\x0d" + newer);

    const Graph& graph = model.graph;
    CHECK(graph.main.name + graph.main.doc == "ggd");
    const Value& x = graph.value(graph.main.inputs.at(0));
    CHECK(x.doc == "xd");
    CHECK(x.metadata == Metadata{{"a", "b"}});
    CHECK(x.type->dtype == DType::i4);
    CHECK(x.type->shape == std::vector<Dimension>{{-1, "batch"}, {4, ""}, {-1, ""}, {-1, ""}});
    const Value& y = graph.value(graph.main.outputs.at(0));
    CHECK_FALSE(y.type.has_value());
    CHECK(y.opaque == proto.graph().value_info(0).type().SerializeAsString());
    const Node& node = graph.main.nodes.at(0);
    CHECK(node.doc == "nd");
    CHECK(node.inputs.at(1) == kNoValue);
    CHECK(node.outputs.at(1) == kNoValue);
    CHECK(std::get<OpaqueAttribute>(node.find("t")->value).bytes ==
          proto.graph().node(0).attribute(0).SerializeAsString());
  }

  TEST_CASE("attributes of a newer kind are carried as they are") {
    auto proto = from_text(R"(ir_version: 10 opset_import { version: 20 } graph { node { op_type: "Op" output: "y"
      attribute { name: "new" i: 3 } } })");
    auto* attribute = proto.mutable_graph()->mutable_node(0)->mutable_attribute(0);
    attribute->mutable_unknown_fields()->AddVarint(20, 77);
    const Model model = read_bytes(proto.SerializeAsString());
    CHECK(std::get<OpaqueAttribute>(model.graph.main.nodes.at(0).find("new")->value).bytes ==
          attribute->SerializeAsString());
  }

  TEST_CASE("what is wrong is named") {
    struct Row {
      const char* text;
      const char* message;
    };
    for (
        const Row& row : {
            Row{"", "not an ONNX model, or a damaged one"},
            Row{R"(graph { output { name: "y" } })", "output 'y' is made by no node and is no initialiser"},
            Row{R"(graph { output { name: "" } })", "output '' is made by no node and is no initialiser"},
            Row{R"(graph { input { } })", "an input or initialiser has no name"},
            Row{R"(graph { input { name: "x" } input { name: "x" } })", "value 'x' is made twice"},
            Row{R"(graph { initializer { name: "W" data_type: 1 dims: 0 } initializer { name: "W" data_type: 1 dims: 0 } })",
                "value 'W' is made twice"},
            Row{R"(graph { input { name: "x" } node { op_type: "Neg" input: "x" output: "x" } })",
                "value 'x' is made twice"},
            Row{R"(graph { node { op_type: "Neg" name: "n" input: "x" output: "y" } })",
                "node 'n': input 'x' is made by no node and is no initialiser"},
            Row{R"(graph { node { op_type: "Neg" name: "n" input: "y" output: "y" } })",
                "node 'n' takes part in a cycle"},
            Row{R"(graph { initializer { name: "W" data_type: 1 dims: [2, -3] } })",
                "initialiser 'W': shape [2,-3] is negative or too large"},
            Row{R"(graph { sparse_initializer { values { name: "W" } } })",
                "initialiser 'W' is sparse, expected dense ones"},
            Row{R"(graph { initializer { name: "W" data_type: 1 segment { begin: 0 end: 4 } } })",
                "a tensor is stored in segments"},
            Row{R"(graph { node { op_type: "A" output: "y" attribute { name: "a" type: TENSOR } } })",
                "node A -> 'y': attribute 'a': no value, expected a tensor"},
            Row{R"(graph { node { op_type: "A" output: "y" attribute { name: "a" type: INT f: 1 } } })",
                "node A -> 'y': attribute 'a': no value, expected an integer"},
            Row{R"(graph { node { op_type: "A" output: "y" attribute { name: "a" type: INT i: 1 } attribute { name: "a" type: INT i: 1 } } })",
                "node A -> 'y': attribute 'a': stands there twice"},
            Row{R"(graph { node { op_type: "A" output: "y" attribute { name: "a" type: INT ref_attr_name: "b" } } })",
                "node A -> 'y': attribute 'a': refers to the attribute 'b' of a function, but is in none"},
            Row{R"(graph { node { op_type: "Constant" output: "y" } })",
                "node Constant -> 'y': a Constant without a value"},
        }) {
      CAPTURE(row.text);
      CHECK(error_of_text(row.text) == row.message);
    }
  }

  TEST_CASE("a file that cannot be opened is named once") {
    CHECK_THROWS_WITH_AS((void)read("/nowhere/model.onnx"),
                         "/nowhere/model.onnx: cannot open: No such file or directory", Error);
  }
}

}  // namespace
}  // namespace terse::onnx
