#include "formats/onnx/lowering.h"

#include <doctest/doctest.h>

#include <map>

#include "formats/error.h"
#include "formats/onnx/layout.h"
#include "formats/onnx/raise.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "tests/formats/onnx/idioms.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

/// The operators that a lowered model consists of, with their numbers.
std::map<std::string, int> operators(const Model& model, const WriteOptions& options) {
  std::map<std::string, int> counts;
  const onnx::Lowered lowered = onnx::lower(model, options);
  for (const Node& node : lowered.graph.main.nodes) {
    ++counts[node.op_type];
  }
  return counts;
}

int64_t stored_bytes_of(const Model& model, const WriteOptions& options) {
  int64_t bytes = 0;
  for (const onnx::Initializer& i : onnx::lower(model, options).initializers) {
    bytes += i.source == kNoValue ? 0 : i.bytes;
  }
  return bytes;
}

const WriteOptions kContrib = {};
const WriteOptions kStandard = {.onnx_style = OnnxStyle::standard};

TEST_SUITE("formats/onnx/lowering") {
  TEST_CASE("each use of each encoding has its idiom") {
    const Encoding int4 = random_affine({48, 64}, {.bits = 4, .group_columns = 32});
    const Encoding int8 = random_affine({48, 64}, {.bits = 8, .group_columns = 64});
    const Encoding tensor = random_affine({48, 64}, {.bits = 8, .group_rows = 48, .group_columns = 64});
    const Encoding int2 = random_affine({48, 64}, {.bits = 2, .group_columns = 16});
    const Encoding odd = random_affine({48, 64}, {.bits = 4, .group_columns = 24});
    const Encoding experts = random_affine({3, 48, 64}, {.bits = 4, .group_columns = 32});
    const Encoding book = random_codebook({48, 64}, {.centroids = 16});
    struct Row {
      Encoding encoding;
      Shown use;
      WriteOptions options;
      std::map<std::string, int> operators;
    };
    const Row rows[] = {
        {int4, Shown::matmul, kContrib, {{"Cast", 1}, {"MatMulNBits", 1}}},
        {int4, Shown::twice, kContrib, {{"Cast", 1}, {"MatMulNBits", 2}}},
        {int8, Shown::matmul, kContrib, {{"Cast", 1}, {"MatMulNBits", 1}}},
        {tensor, Shown::matmul, kContrib, {{"Cast", 1}, {"Expand", 1}, {"MatMulNBits", 1}}},
        {int4, Shown::gemm, kContrib, {{"Cast", 1}, {"MatMulNBits", 1}, {"Add", 1}}},
        {int4,
         Shown::gemm_scaled,
         kContrib,
         {{"Cast", 1}, {"Transpose", 1}, {"MatMulNBits", 1}, {"Mul", 2}, {"Add", 1}}},
        {int4, Shown::table, kContrib, {{"Cast", 1}, {"GatherBlockQuantized", 1}}},
        {int4, Shown::tied, kContrib, {{"Cast", 1}, {"GatherBlockQuantized", 1}, {"Reshape", 1}, {"MatMulNBits", 1}}},
        {int4, Shown::matmul, kStandard, {{"Cast", 1}, {"DequantizeLinear", 1}, {"MatMul", 1}}},
        {int8, Shown::matmul, kStandard, {{"Cast", 1}, {"DequantizeLinear", 1}, {"MatMul", 1}}},
        {int8, Shown::gemm, kStandard, {{"Cast", 1}, {"DequantizeLinear", 1}, {"Gemm", 1}}},
        {int8, Shown::left, kContrib, {{"Cast", 1}, {"DequantizeLinear", 1}, {"MatMul", 1}}},
        {int8, Shown::table, kStandard, {{"Gather", 2}, {"Cast", 2}, {"Sub", 1}, {"Mul", 1}}},
        {int2,
         Shown::matmul,
         kStandard,
         {{"Gather", 2},
          {"BitShift", 1},
          {"Mod", 1},
          {"Cast", 2},
          {"Sub", 1},
          {"Mul", 1},
          {"Transpose", 1},
          {"MatMul", 1}}},
        {odd,
         Shown::left,
         kContrib,
         {{"Gather", 2}, {"BitShift", 1}, {"Mod", 1}, {"Cast", 2}, {"Sub", 1}, {"Mul", 1}, {"MatMul", 1}}},
        {experts,
         Shown::experts,
         kContrib,
         {{"GatherND", 2},
          {"Gather", 2},
          {"BitShift", 1},
          {"Mod", 1},
          {"Cast", 2},
          {"Sub", 1},
          {"Mul", 1},
          {"MatMul", 1}}},
        {experts,
         Shown::turned_experts,
         kContrib,
         {{"Cast", 1}, {"GatherBlockQuantized", 1}, {"Einsum", 1}, {"MatMul", 1}}},
        {book,
         Shown::matmul,
         kContrib,
         {{"Gather", 1},
          {"BitShift", 1},
          {"Mod", 1},
          {"Cast", 1},
          {"GatherElements", 1},
          {"Transpose", 1},
          {"MatMul", 1}}},
    };
    for (const Row& row : rows) {
      CAPTURE(describe(row.encoding));
      CAPTURE(static_cast<int>(row.use));
      CHECK(operators(model_with(row.encoding, row.use), row.options) == row.operators);
    }
  }

  TEST_CASE("a tied table and head is stored once, padded if the rows are no whole blocks") {
    const Encoding whole = random_affine({50, 64}, {.bits = 4, .group_columns = 32});
    const Model model = model_with(whole, Shown::tied);
    CHECK(stored_bytes_of(model, kContrib) == stored_bytes(whole));
    CHECK(stored_bytes_of(model, kStandard) == stored_bytes(whole));
    const Encoding cut = random_affine({50, 40}, {.bits = 4, .group_columns = 32});
    CHECK(stored_bytes_of(model_with(cut, Shown::tied), kContrib) == 50 * (32 + 2 * 2));
  }

  TEST_CASE("whole rows cost what they need: one scale, and a block that pads least") {
    struct Row {
      int64_t columns, padded;
    };
    for (const Row& row : {Row{576, 576}, Row{312, 320}, Row{100, 112}, Row{33, 48}, Row{512, 512}}) {
      CAPTURE(row.columns);
      const Encoding e = random_affine({10, row.columns}, {.bits = 8, .group_columns = row.columns});
      CHECK(stored_bytes_of(model_with(e, Shown::matmul), kContrib) == 10 * (row.padded + 2));
    }
  }

  TEST_CASE("dense weights keep their orientation where the use allows it") {
    const Tensor in_out = Tensor::make(DType::f32, {3, 2});
    struct Row {
      EncodingPtr weight;
      Shown use;
      Shape stored;
      std::map<std::string, int> operators;
    };
    const Row rows[] = {
        {make_dense_transposed(in_out), Shown::matmul, {3, 2}, {{"MatMul", 1}}},
        {make_dense_transposed(in_out), Shown::gemm, {3, 2}, {{"Gemm", 1}}},
        {make_dense(in_out), Shown::gemm, {3, 2}, {{"Gemm", 1}}},
        {make_dense(in_out), Shown::matmul, {2, 3}, {{"MatMul", 1}}},
        {make_dense(in_out), Shown::tied, {3, 2}, {{"Gather", 1}, {"Transpose", 1}, {"MatMul", 1}}},
        {make_dense_transposed(in_out), Shown::left, {2, 3}, {{"MatMul", 1}}},
        {make_dense_transposed(Tensor::make(DType::f32, {4, 3, 2})),
         Shown::turned_experts,
         {4, 3, 2},
         {{"Gather", 1}, {"MatMul", 1}}},
        {make_dense(from_f32(in_out, DType::f16)), Shown::matmul, {2, 3}, {{"Cast", 1}, {"MatMul", 1}}},
        {make_dense(from_f32(in_out, DType::bf16)), Shown::table, {3, 2}, {{"Gather", 1}, {"Cast", 1}}},
    };
    for (const Row& row : rows) {
      CAPTURE(static_cast<int>(row.use));
      const Model model = model_with(*row.weight, row.use);
      CHECK(operators(model, kContrib) == row.operators);
      const onnx::Lowered lowered = onnx::lower(model, kContrib);
      CHECK(lowered.initializers.front().dims == row.stored);
    }
  }

  TEST_CASE("versions are raised only where the idiom needs it") {
    const Encoding blocks = random_affine({48, 64}, {.bits = 4, .group_columns = 32});
    const Encoding channel = random_affine({48, 64}, {.bits = 8, .group_columns = 64});
    struct Row {
      Encoding encoding;
      WriteOptions options;
      int64_t opset, ir_version, contrib;
    };
    for (const Row& row :
         {Row{blocks, kContrib, 17, 8, 1}, Row{channel, kStandard, 17, 8, 0}, Row{blocks, kStandard, 21, 10, 0}}) {
      const onnx::Lowered lowered = onnx::lower(model_with(row.encoding, Shown::matmul), row.options);
      CHECK(lowered.opsets.at("") == row.opset);
      CHECK(lowered.ir_version == row.ir_version);
      CHECK(lowered.opsets.count("com.microsoft") == static_cast<size_t>(row.contrib));
    }
  }

  TEST_CASE("a linear on quantized activations gets the standard form, which runtimes fuse") {
    Model model = model_with(random_affine({48, 64}, {.bits = 8, .group_columns = 64}), Shown::matmul);
    Graph& g = model.graph;
    const ValueId scale = g.add_constant("scale", make_dense(Tensor::scalar(0.5F)));
    const ValueId integers = g.add("integers"), floats = g.add("floats");
    Node quantize{.op_type = "QuantizeLinear", .inputs = {*g.find("x"), scale}};
    quantize.outputs = {integers};
    Node dequantize{.op_type = "DequantizeLinear", .inputs = {integers, scale}};
    dequantize.outputs = {floats};
    g.main.nodes[0].inputs[0] = floats;
    g.main.nodes.insert(g.main.nodes.begin(), {quantize, dequantize});
    CHECK(operators(model, kContrib) ==
          std::map<std::string, int>{{"Cast", 1}, {"DequantizeLinear", 2}, {"MatMul", 1}, {"QuantizeLinear", 1}});
  }

  TEST_CASE("planned encodings are laid out as they are written") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "m.onnx";
    const Encoding encodings[] = {
        random_affine({50, 100}, {.bits = 4, .group_columns = 32, .asymmetric = true}),
        random_affine({50, 33}, {.bits = 2, .group_columns = 33}),
        random_affine({50, 64}, {.bits = 8, .group_rows = 50, .group_columns = 64, .scale_dtype = DType::f32}),
        random_codebook({50, 33}, {.centroids = 16, .group_rows = 5}),
        {{50, 64}, DenseEncoding{.dtype = DType::bf16, .values = Tensor::make(DType::bf16, {50, 64})}},
    };
    for (const Encoding& e : encodings) {
      for (const Shown use : {Shown::matmul, Shown::gemm, Shown::table, Shown::tied, Shown::left}) {
        for (const WriteOptions& options : {kContrib, kStandard, WriteOptions{.external_data = true}}) {
          CAPTURE(describe(e));
          const Layout planned_layout = onnx::layout(model_with(planned(e), use), path, options);
          onnx::write(model_with(e, use), path, options);
          int64_t bytes = 0;
          for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
            bytes += static_cast<int64_t>(file.file_size());
            std::filesystem::remove(file.path());
          }
          CHECK(bytes == planned_layout.total_bytes());
        }
      }
    }
  }

  TEST_CASE("what cannot be written is refused by name, before anything is made") {
    Model model = model_with(random_affine({48, 64}, {.bits = 4, .group_columns = 32}), Shown::matmul);
    AffineEncoding three_bits{.bits = 3, .group_columns = 32};
    model.graph.value(*model.graph.find("w")).constant =
        std::make_shared<const Encoding>(Encoding{.shape = {48, 64}, .form = three_bits});
    model.graph.value(*model.graph.find("w")).display_name = "layers.0.mlp.up";
    CHECK_THROWS_WITH_AS(onnx::lower(model, {}),
                         "tensor 'layers.0.mlp.up': ONNX cannot hold the encoding int3 block 32; it can hold f32, f16, "
                         "bf16, f64; 2, 4 and 8 bits per block, channel or tensor; codebooks of 2 to 256 centroids",
                         Error);
    model.graph.value(*model.graph.find("w")).constant =
        std::make_shared<const Encoding>(Encoding{.shape = {48, 64}, .form = BlockEncoding{.type = BlockType::q5_0}});
    CHECK_THROWS_WITH_AS(onnx::lower(model, {}),
                         "tensor 'layers.0.mlp.up': ONNX cannot hold the encoding Q5_0; it can hold f32, f16, "
                         "bf16, f64; 2, 4 and 8 bits per block, channel or tensor; codebooks of 2 to 256 centroids; "
                         "cast,codes=decode (convert --dtype) makes floats of it",
                         Error);
  }
}

}  // namespace
}  // namespace terse
