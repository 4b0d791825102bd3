#include "formats/onnx/writer.h"

#include <doctest/doctest.h>

#include <cstring>
#include <numeric>

#include "formats/error.h"
#include "formats/onnx/layout.h"
#include "formats/onnx/reader.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && a.bytes().size() == b.bytes().size() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin());
}

void check_equal(const Graph& a, const Graph& b) {
  REQUIRE(a.main.nodes.size() == b.main.nodes.size());
  for (size_t i = 0; i < a.main.nodes.size(); ++i) {
    const Node& x = a.main.nodes[i];
    const Node& y = b.main.nodes[i];
    CAPTURE(describe(a, x));
    CHECK(x.op_type == y.op_type);
    CHECK(x.name == y.name);
    CHECK(x.metadata == y.metadata);
    CHECK(x.attributes.size() == y.attributes.size());
    REQUIRE(x.inputs.size() == y.inputs.size());
    for (size_t k = 0; k < x.inputs.size(); ++k) {
      REQUIRE((x.inputs[k] == kNoValue) == (y.inputs[k] == kNoValue));
      if (x.inputs[k] != kNoValue) {
        CHECK(a.value(x.inputs[k]).name == b.value(y.inputs[k]).name);
      }
    }
  }
  for (const Value& value : a.values) {
    CAPTURE(value.name);
    const auto other = b.find(value.name);
    if (!other) {
      continue;  // a constant without uses is not written
    }
    CHECK(value.type.has_value() == b.value(*other).type.has_value());
    REQUIRE((value.constant == nullptr) == (b.value(*other).constant == nullptr));
    if (value.constant) {
      CHECK(same_bytes(value.constant->dense()->values, b.value(*other).constant->dense()->values));
    }
  }
}

/// x [?, 3] times a weight: y.
Model linear_model(EncodingPtr weight) {
  Model model;
  Graph& g = model.graph;
  model.opsets = {{"", 17}};
  model.ir_version = 8;
  g.main.inputs = {g.add("x")};
  g.main.outputs = {g.add("y")};
  for (const ValueId id : {0, 1}) {
    g.value(id).type = ValueType{DType::f32, std::vector<Dimension>(2)};
  }
  Node node{.op_type = "MatMul", .name = "linear", .inputs = {0, g.add_constant("w", std::move(weight))}};
  node.outputs = {1};
  node.set("transB", int64_t{1});
  g.main.nodes = {node};
  return model;
}

Model big_model() {
  std::vector<float> numbers(64 * 48);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  return linear_model(make_dense(Tensor::of<float>({64, 48}, numbers)));
}

Tensor initializer(const std::filesystem::path& path, std::string_view name) {
  const Model model = onnx::read(path);
  return model.graph.value(*model.graph.find(name)).constant->dense()->values;
}

TEST_SUITE("formats/onnx/writer") {
  TEST_CASE("an exported model that is read and written reads the same again, and has the size that was laid out") {
    const TemporaryFolder folder;
    for (const char* file :
         {"lm/dynamo.onnx", "lm/torchscript.onnx", "classifier/dynamo.onnx", "classifier/torchscript.onnx"}) {
      for (const bool external : {false, true}) {
        CAPTURE(file);
        CAPTURE(external);
        const auto path = folder.path() / fmt::format("{}{}.onnx", file[0], external);
        const Model model = onnx::read(kTestdata / file);
        const WriteOptions options{.external_data = external};
        const Layout planned = onnx::layout(model, path, options);
        onnx::write(model, path, options);
        for (const Layout::File& f : planned.files) {
          CHECK(static_cast<int64_t>(std::filesystem::file_size(folder.path() / f.name)) == f.bytes);
        }
        CHECK(planned.files.size() == (external ? 2 : 1));
        const Model back = onnx::read(path);
        CHECK(back.opsets == model.opsets);
        CHECK(back.metadata == model.metadata);
        CHECK(back.ir_version == model.ir_version);
        CHECK(back.producer_version == model.producer_version);
        check_equal(model.graph, back.graph);
        std::filesystem::remove_all(path);
        std::filesystem::remove_all(path.string() + ".data");
      }
    }
  }

  TEST_CASE("a linear's weight is written [in, out], whichever way it lies in memory") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "m.onnx";
    const std::vector<float> rows = {1, 2, 3, 4, 5, 6};     // [out = 2, in = 3]
    const std::vector<float> columns = {1, 4, 2, 5, 3, 6};  // [in, out]
    for (const auto& weight :
         {make_dense(Tensor::of<float>({2, 3}, rows)), make_dense_transposed(Tensor::of<float>({3, 2}, columns))}) {
      onnx::write(linear_model(weight), path, {});
      CHECK(same_bytes(initializer(path, "w"), Tensor::of<float>({3, 2}, columns)));
      CHECK(onnx::read(path).graph.main.nodes[0].find("transB") == nullptr);
    }
  }

  TEST_CASE("large matrices are transposed in pieces") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "m.onnx";
    constexpr int64_t kRows = 1000;
    constexpr int64_t kColumns = 9000;  // two pieces of 32 MiB
    Tensor weight = Tensor::uninitialized(DType::f32, {kRows, kColumns});
    std::iota(weight.mutable_values<float>().begin(), weight.mutable_values<float>().end(), 0.0F);
    onnx::write(linear_model(make_dense(weight)), path, {.external_data = true});
    const Tensor back = initializer(path, "w").aligned();
    REQUIRE(back.shape() == Shape{kColumns, kRows});
    int64_t wrong = 0;
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t c = 0; c < kColumns; ++c) {
        wrong += back.values<float>()[static_cast<size_t>(c * kRows + r)] != static_cast<float>(r * kColumns + c);
      }
    }
    CHECK(wrong == 0);
  }

  TEST_CASE("strings, scalars, empty tensors and every kind of attribute survive") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "m.onnx";
    Model model = big_model();
    Graph& g = model.graph;
    model.metadata = {{"recipe", "int4"}, {"empty", ""}};
    model.doc = "a doc";
    model.producer_name = "test";
    const ValueId words = g.add_constant("words", make_dense(Tensor::strings({2}, {"a", "longer"})));
    const ValueId none = g.add_constant("none", make_dense(Tensor::make(DType::i64, {0})));
    const ValueId one = g.add_constant("one", make_dense(Tensor::scalar<int64_t>(1)));
    Node node{.domain = "test", .op_type = "Everything", .name = "all", .overload = "second"};
    node.inputs = {words, kNoValue, none, one};
    node.outputs = {kNoValue, g.add("z")};
    node.metadata = {{"namespace", "model/layer"}};
    node.doc = "node doc";
    auto block = std::make_shared<Block>();
    block->name = "inner";
    block->outputs = {one};
    node.set("i", int64_t{-5});
    node.set("f", 0.5F);
    node.set("s", std::string("text\0more", 9));
    node.set("is", std::vector<int64_t>{1, -2});
    node.set("fs", std::vector<float>{1, -2});
    node.set("ss", std::vector<std::string>{"", "b"});
    node.set("t", Tensor::of<float>({2}, {1, 2}));
    node.set("g", block);
    node.set("gs", std::vector<std::shared_ptr<Block>>{block, block});
    g.main.nodes.push_back(node);
    g.main.outputs.push_back(node.outputs[1]);
    onnx::write(model, path, {});

    const Model back = onnx::read(path);
    CHECK(back.metadata == model.metadata);
    CHECK(back.doc == model.doc);
    CHECK(back.opsets.at("test") == 1);
    const Node& n = back.graph.main.nodes.at(1);
    CHECK(n.overload == "second");
    CHECK(n.doc == "node doc");
    CHECK(n.metadata == node.metadata);
    CHECK(n.output(0) == kNoValue);
    CHECK(n.input(1) == kNoValue);
    for (const char* name : {"i", "f", "s", "is", "fs", "ss"}) {
      CAPTURE(name);
      CHECK(n.find(name)->value.index() == node.find(name)->value.index());
    }
    CHECK(n.get_int("i", 0) == -5);
    CHECK(n.get_float("f", 0) == 0.5F);
    CHECK(n.get_string("s", "") == std::string("text\0more", 9));
    CHECK(n.get_ints("is") == std::vector<int64_t>{1, -2});
    CHECK(same_bytes(std::get<Tensor>(n.find("t")->value), Tensor::of<float>({2}, {1, 2})));
    CHECK(std::get<std::vector<std::shared_ptr<Block>>>(n.find("gs")->value).size() == 2);
    CHECK(initializer(path, "words").string_values() == std::vector<std::string>{"a", "longer"});
    CHECK(initializer(path, "none").shape() == Shape{0});
    CHECK(initializer(path, "one").shape().empty());
  }

  TEST_CASE("external data is aligned, small tensors stay inline, and a second writing replaces the first safely") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "m.onnx";
    const WriteOptions options{.external_data = true};
    onnx::write(big_model(), path, options);
    CHECK(std::filesystem::file_size(folder.path() / "m.onnx.data") == 64 * 48 * 4);
    const Tensor first = initializer(path, "w").aligned();  // its file is mapped still
    CHECK(onnx::layout(big_model(), path, options).files[1].name == "m.onnx.data1");
    onnx::write(big_model(), path, options);
    CHECK(folder.count() == 2);
    CHECK(std::filesystem::exists(folder.path() / "m.onnx.data1"));
    CHECK(same_bytes(first, initializer(path, "w")));
    onnx::write(big_model(), path, {});
    CHECK(folder.count() == 1);
  }

  TEST_CASE("a path that cannot be written leaves nothing behind") {
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder.path() / "taken.onnx" / "full");
    for (const bool external : {false, true}) {
      CHECK_THROWS_AS(onnx::write(big_model(), folder.path() / "absent" / "m.onnx", {.external_data = external}),
                      Error);
      CHECK_THROWS_AS(onnx::write(big_model(), folder.path() / "taken.onnx", {.external_data = external}), Error);
    }
    CHECK(folder.count() == 1);
  }

  TEST_CASE("opaque records are carried over") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "m.onnx";
    Model model = big_model();
    model.opaque = std::string("\xa2\x01\x03", 3) + "abc";  // field 20 (training_info)
    // A TypeProto whose sequence_type (field 4) has an element type, a tensor of floats.
    model.graph.value(0).type.reset();
    model.graph.value(0).opaque = std::string("\x22\x06\x0a\x04\x0a\x02\x08\x01", 8);
    onnx::write(model, path, {});
    const Model back = onnx::read(path);
    CHECK(back.opaque == model.opaque);
    CHECK(back.graph.value(*back.graph.find("x")).opaque == model.graph.value(0).opaque);
  }
}

}  // namespace
}  // namespace terse
