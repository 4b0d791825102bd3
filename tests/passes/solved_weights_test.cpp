#include "passes/solved_weights.h"

#include <doctest/doctest.h>

#include <numeric>

#include "formats/encoding.h"
#include "passes/pipeline.h"

namespace terse::passes {
namespace {

EncodingPtr matrix(int64_t rows, int64_t columns, float first) {
  Tensor tensor = Tensor::make(DType::f32, {rows, columns});
  std::iota(tensor.mutable_values<float>().begin(), tensor.mutable_values<float>().end(), first);
  return make_dense(tensor);
}

/// As a pass leaves a weight; `seed` tells codes apart.
EncodingPtr coded(int64_t rows, int64_t columns, uint8_t seed) {
  AffineEncoding affine{.bits = 8, .group_rows = 1, .group_columns = columns, .scale_dtype = DType::f32};
  affine.codes = Tensor::make(DType::u8, {rows, columns});
  affine.codes.mutable_values<uint8_t>()[0] = seed;
  affine.scales = Tensor::make(DType::f32, {rows, 1});
  return std::make_shared<const Encoding>(Encoding{.shape = {rows, columns}, .form = affine});
}

uint8_t seed_of(const Graph& graph, std::string_view name) {
  return graph.value(*graph.find(name)).constant->affine()->codes.values<uint8_t>()[0];
}

TEST_SUITE("passes/solved_weights") {
  TEST_CASE("a weight with the bits of one before gets what that became, whatever it is called") {
    Graph first, first_solved, second, second_solved;
    first.add_constant("a", matrix(4, 8, 1));
    first_solved.add_constant("a", coded(4, 8, 7));
    second.add_constant("same", matrix(4, 8, 1));
    second.add_constant("other", matrix(4, 8, 2));
    second_solved.add_constant("same", coded(4, 8, 3));
    second_solved.add_constant("other", coded(4, 8, 3));
    SolvedWeights weights;
    weights.add(first, first_solved, "first.onnx");
    CHECK(weights.take(second, second_solved) == SolvedWeights::Taken{{"first.onnx", 1}});
    CHECK(seed_of(second_solved, "same") == 7);
    CHECK(seed_of(second_solved, "other") == 3);
  }

  TEST_CASE("a weight that is to be stored otherwise stays its own") {
    Graph graph, solved, left;
    graph.add_constant("a", matrix(4, 8, 1));
    solved.add_constant("a", coded(4, 8, 7));
    left.add_constant("a", matrix(4, 8, 5));
    SolvedWeights weights;
    weights.add(graph, solved, "first.onnx");
    CHECK(weights.take(graph, left).empty());
    CHECK(left.value(*left.find("a")).constant->dense() != nullptr);
  }
}

}  // namespace
}  // namespace terse::passes
