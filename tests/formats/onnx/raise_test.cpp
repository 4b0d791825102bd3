#include "formats/onnx/raise.h"

#include <doctest/doctest.h>

#include <functional>

#include "formats/onnx/lowering.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "tests/formats/onnx/idioms.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

const WriteOptions kContrib = {};
const WriteOptions kStandard = {.onnx_style = OnnxStyle::standard};

Model written_and_raised(const Model& model, const WriteOptions& options) {
  const TemporaryFolder folder;
  onnx::write(model, folder.path() / "m.onnx", options);
  Model back = onnx::read(folder.path() / "m.onnx");
  onnx::raise_encodings(back.graph);
  sort_and_validate(back.graph);
  return back;
}

std::string operators(const Graph& graph) {
  std::string names;
  for (const Node& node : graph.main.nodes) {
    names += node.op_type + " ";
  }
  return names;
}

const Encoding* weight(const Model& model) {
  const auto id = model.graph.find("w");
  return id && model.graph.is_constant(*id) ? model.graph.value(*id).constant.get() : nullptr;
}

/// Encodings of a matrix [rows, columns] that idioms have to carry: rows that end inside a block and inside a byte too.
std::vector<Encoding> encodings(const Shape& lead) {
  std::vector<Encoding> all;
  for (const int64_t columns : {64, 100, 33}) {
    Shape shape = lead;
    shape.push_back(columns);
    const int64_t rows = *checked_count(lead);
    for (const int bits : {2, 4, 8}) {
      for (const bool asymmetric : {false, true}) {
        all.push_back(random_affine(shape, {.bits = bits, .group_columns = 32, .asymmetric = asymmetric}));
        all.push_back(random_affine(shape, {.bits = bits, .group_columns = columns, .asymmetric = asymmetric}));
        all.push_back(random_affine(shape, {.bits = bits,
                                            .group_rows = rows,
                                            .group_columns = columns,
                                            .scale_dtype = DType::f32,
                                            .asymmetric = asymmetric}));
      }
      all.push_back(random_affine(shape, {.bits = bits, .group_columns = 20}));  // no power of two
    }
    all.push_back(random_codebook(shape, {.centroids = 16}));
    all.push_back(random_codebook(shape, {.centroids = 5, .group_rows = rows}));
    all.push_back(random_codebook(shape, {.centroids = 256, .group_rows = 4, .centroid_dtype = DType::f16}));
  }
  return all;
}

void check_round_trip(const Encoding& e, Shown use, const WriteOptions& options, std::string_view expected) {
  CAPTURE(describe(e));
  CAPTURE(to_string(e.shape));
  CAPTURE(static_cast<int>(use));
  CAPTURE(static_cast<int>(options.onnx_style));
  const Model back = written_and_raised(model_with(e, use), options);
  CHECK(operators(back.graph) == expected);
  REQUIRE(weight(back) != nullptr);
  CHECK(same_encoding(*weight(back), e));
  CHECK(back.graph.value(*back.graph.find("w")).type->dtype == DType::f32);
}

TEST_SUITE("formats/onnx/raise") {
  TEST_CASE("what is lowered for a matrix is raised to the same bytes") {
    struct Row {
      Shown use;
      std::string_view contrib, standard;
    };
    const Row rows[] = {
        {Shown::matmul, "MatMul ", "MatMul "},
        {Shown::twice, "MatMul MatMul ", "MatMul MatMul "},
        {Shown::gemm, "", "Gemm "},
        {Shown::table, "Gather ", "Gather "},
        {Shown::tied, "Gather MatMul ", "Gather MatMul "},
        {Shown::left, "MatMul ", "MatMul "},
    };
    for (const Encoding& e : encodings({12})) {
      for (const Row& row : rows) {
        if (!row.contrib.empty()) {
          check_round_trip(e, row.use, kContrib, row.contrib);
        }
        check_round_trip(e, row.use, kStandard, row.standard);
      }
    }
  }

  TEST_CASE("what is lowered for experts is raised to the same bytes") {
    for (const Encoding& e : encodings({3, 12})) {
      for (const WriteOptions& options : {kContrib, kStandard}) {
        check_round_trip(e, Shown::experts, options, "GatherND MatMul ");
        check_round_trip(e, Shown::turned_experts, options, "Gather MatMul ");
        const Model back = written_and_raised(model_with(e, Shown::turned_experts), options);
        CHECK(back.graph.main.nodes[1].get_int("transB", 0) == 1);
      }
    }
  }

  TEST_CASE("a Gemm comes back as a product and a sum where its product was MatMulNBits") {
    const Encoding e = random_affine({12, 64}, {.bits = 4, .group_columns = 32});
    const Model back = written_and_raised(model_with(e, Shown::gemm), kContrib);
    CHECK(operators(back.graph) == "MatMul Add ");
    CHECK(same_encoding(*weight(back), e));
    CHECK(back.graph.main.nodes[0].get_int("transB", 0) == 1);
  }

  TEST_CASE("16-bit weights of an f32 graph are read as f32, a tied table as one weight") {
    const Tensor values = from_f32(Tensor::make(DType::f32, {12, 4}), DType::f16);
    Model back = written_and_raised(model_with(*make_dense(values), Shown::tied), kContrib);
    CHECK(operators(back.graph) == "Transpose Gather MatMul ");  // canonicalize folds the rest
    CHECK(back.graph.value(*back.graph.find("w")).type->dtype == DType::f32);
    CHECK(weight(back)->dense()->dtype == DType::f16);
  }

  TEST_CASE("attributes that no encoding holds stay on the node and are written again") {
    Model model = model_with(random_affine({12, 64}, {.bits = 4, .group_columns = 32}), Shown::matmul);
    model.graph.main.nodes[0].set("accuracy_level", int64_t{4});
    Model back = written_and_raised(model, kContrib);
    CHECK(back.graph.main.nodes[0].get_int("accuracy_level", 0) == 4);
    back = written_and_raised(model, kStandard);
    CHECK(back.graph.main.nodes[0].find("accuracy_level") == nullptr);
  }

  TEST_CASE(
      "the fast style lets 8-bit products round their activations, unless the file that was read says otherwise") {
    const WriteOptions fast = {.onnx_style = OnnxStyle::fast};
    const auto level = [](const Model& model, const WriteOptions& options) {
      const onnx::Lowered lowered = onnx::lower(model, options);
      const auto& nodes = lowered.graph.main.nodes;
      const auto product = std::ranges::find_if(nodes, [](const Node& n) { return n.op_type == "MatMulNBits"; });
      return product->get_int("accuracy_level", 0);
    };
    Model model = model_with(random_affine({12, 64}, {.bits = 8, .group_columns = 32}), Shown::matmul);
    CHECK(level(model, kContrib) == 0);
    CHECK(level(model, fast) == 4);
    CHECK(level(written_and_raised(model, fast), kContrib) == 4);
    model.graph.main.nodes[0].set("accuracy_level", int64_t{1});
    CHECK(level(model, fast) == 1);
    CHECK(level(model_with(random_affine({12, 64}, {.bits = 4, .group_columns = 32}), Shown::matmul), fast) == 0);
  }

  TEST_CASE("exported models with encoded weights read as they were before they were written") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "m.onnx";
    for (const char* file : {"lm/dynamo", "lm/torchscript", "classifier/dynamo", "classifier/torchscript"}) {
      for (const WriteOptions& options : {kContrib, kStandard}) {
        CAPTURE(file);
        Model model = open_model(std::filesystem::path(TERSE_TESTDATA) / (std::string(file) + ".onnx"));
        for (Value& value : model.graph.values) {
          if (value.constant && value.constant->dense() && value.constant->shape.size() == 2 &&
              is_float(value.constant->dense()->dtype) && value.constant->columns() >= 32) {
            value.constant = std::make_shared<const Encoding>(
                random_affine(value.constant->shape, {.bits = 4, .group_columns = 32}));
          }
        }
        onnx::write(model, path, options);
        const Model back = open_model(path);
        int64_t encoded = 0;
        for (const Value& value : model.graph.values) {
          if (value.constant && value.constant->affine()) {
            CAPTURE(value.name);
            const auto id = back.graph.find(value.name);
            REQUIRE(id);
            CHECK(same_encoding(*back.graph.value(*id).constant, *value.constant));
            CHECK(back.graph.value(*id).roles == value.roles);
            CHECK(back.graph.value(*id).display_name == value.display_name);
            ++encoded;
          }
        }
        CHECK(encoded > 10);
        if (options.onnx_style == OnnxStyle::contrib) {
          CHECK(back.opsets.at("") == model.opsets.at(""));
        }
      }
    }
  }

  TEST_CASE("a lookup in 4-bit integers becomes a lookup in an encoded table; no zero point means 0 there") {
    for (const DType dtype : {DType::i4, DType::u4}) {
      const std::vector<std::byte> codes(2 * 16 / 2, std::byte{0x9f});  // 15 and 9, or -1 and -7
      Model model = model_with(*make_dense(Tensor::view(dtype, {2, 16}, codes, nullptr)), Shown::table);
      Node& node = model.graph.main.nodes[0];
      node.domain = "com.microsoft";
      node.op_type = "GatherBlockQuantized";
      node.set("block_size", int64_t{16});
      node.inputs.push_back(model.graph.add_constant("s", make_dense(Tensor::of<float>({2, 1}, {0.5F, 2}))));
      onnx::raise_encodings(model.graph);
      CHECK(operators(model.graph) == "Gather ");
      REQUIRE(weight(model) != nullptr);
      const Tensor numbers = decode(*weight(model));
      CHECK(numbers.values<float>()[0] == (dtype == DType::i4 ? -0.5F : 7.5F));
      CHECK(numbers.values<float>()[17] == (dtype == DType::i4 ? -14.0F : 18.0F));
    }
  }

  TEST_CASE("what no encoding holds exactly stays as it is") {
    const TemporaryFolder folder;
    onnx::write(model_with(random_affine({12, 64}, {.bits = 4, .group_columns = 32}), Shown::matmul),
                folder.path() / "m.onnx", {});
    const auto raised = [&](const std::function<void(Graph&, Node&)>& change) {
      Model model = onnx::read(folder.path() / "m.onnx");
      change(model.graph, model.graph.main.nodes.at(1));
      onnx::raise_encodings(model.graph);
      return operators(model.graph);
    };
    const auto half_points = make_dense(Tensor::of<float>({12, 2}, std::vector<float>(24, 7.5F)));
    const auto whole_points = make_dense(Tensor::of<float>({12, 2}, std::vector<float>(24, 7)));
    CHECK(raised([](Graph&, Node&) {}) == "MatMul ");
    CHECK(raised([&](Graph& g, Node& n) { n.inputs.push_back(g.add_constant("z", whole_points)); }) == "MatMul ");
    CHECK(raised([&](Graph& g, Node& n) { n.inputs.push_back(g.add_constant("z", half_points)); }) == "MatMulNBits ");
    CHECK(raised([](Graph& g, Node& n) {
            const ValueId order = g.add_constant("g", make_dense(Tensor::make(DType::i32, {64})));
            n.inputs.insert(n.inputs.end(), {kNoValue, order});
          }) == "MatMulNBits ");
    for (const char* attribute : {"K", "N", "bits", "block_size"}) {
      for (const int64_t value : {int64_t{-1}, int64_t{0}, int64_t{3}, int64_t{1} << 62}) {
        CAPTURE(attribute);
        CAPTURE(value);
        CHECK(raised([&](Graph&, Node& n) { n.set(attribute, value); }) == "MatMulNBits ");
      }
    }
  }

  TEST_CASE("codes that lie as an encoding wants them are not copied") {
    const TemporaryFolder folder;
    Model model = model_with(random_affine({64, 64}, {.bits = 4, .group_columns = 32}), Shown::tied);
    onnx::write(model, folder.path() / "m.onnx", {});
    Model back = onnx::read(folder.path() / "m.onnx");
    const std::byte* before = weight(back)->dense()->values.bytes().data();
    onnx::raise_encodings(back.graph);
    CHECK(weight(back)->affine()->codes.bytes().data() == before);
  }
}

}  // namespace
}  // namespace terse
