#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "formats/encoding.h"
#include "formats/error.h"
#include "tests/calibration/ops/call.h"

namespace terse::calibration {
namespace {

constexpr std::string_view kOnnx;
constexpr std::string_view kMicrosoft = "com.microsoft";

std::vector<float> floats(const Tensor& t) { return {t.values<float>().begin(), t.values<float>().end()}; }

Tensor counting(Shape shape, float step) {
  Tensor t = Tensor::make(DType::f32, std::move(shape));
  float value = -1;
  for (float& x : t.mutable_values<float>()) {
    x = value;
    value += step;
  }
  return t;
}

TEST_SUITE("calibration/ops/products") {
  TEST_CASE("MatMulNBits multiplies by (code - zero point) * scale, the last block shorter") {
    // Two rows of 20 columns in blocks of 16: the second block has four.
    const std::vector<Attribute> attributes = {
        {"K", int64_t{20}}, {"N", int64_t{2}}, {"block_size", int64_t{16}}, {"bits", int64_t{4}}};
    Tensor codes = Tensor::make(DType::u8, {2, 2, 8});
    for (size_t i = 0; i < 32; ++i) {
      codes.mutable_values<uint8_t>()[i] = static_cast<uint8_t>(i * 41);
    }
    AffineEncoding affine{.bits = 4, .group_columns = 16, .scale_dtype = DType::f32};
    affine.codes = Tensor::make(DType::u8, {2, 10});
    for (size_t row = 0; row < 2; ++row) {
      std::copy_n(codes.values<uint8_t>().begin() + static_cast<int64_t>(row) * 16, 10,
                  affine.codes.mutable_values<uint8_t>().begin() + static_cast<int64_t>(row) * 10);
    }
    affine.scales = Tensor::of<float>({2, 2}, {0.5F, -1, 2, 0.25F});
    const Tensor x = counting({3, 20}, 0.125F);
    const Tensor zero_points = Tensor::of<uint8_t>({2, 1}, {0x31, 0x7f});
    for (const bool is_asymmetric : {false, true}) {
      CAPTURE(is_asymmetric);
      affine.asymmetric = is_asymmetric;
      affine.zero_points = Tensor::of<uint8_t>({2, 2}, {1, 3, 15, 7});
      const Tensor weight = decode({.shape = {2, 20}, .form = affine});
      std::vector<Tensor> inputs = {x, codes, affine.scales};
      if (is_asymmetric) {
        inputs.push_back(zero_points);
      }
      CHECK(floats(call_operator(kMicrosoft, "MatMulNBits", inputs, attributes)[0]) ==
            floats(call_operator(kOnnx, "MatMul", {x, weight}, {{"transB", int64_t{1}}})[0]));
    }
  }

  TEST_CASE("FusedMatMul transposes either operand and scales the product") {
    const Tensor a = Tensor::of<float>({2, 1}, {1, 2});
    const Tensor b = Tensor::of<float>({3, 2}, {1, 0, 0, 1, 1, 1});
    const auto out = call_operator(kMicrosoft, "FusedMatMul", {a, b},
                                   {{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 0.5F}});
    CHECK(out[0].shape() == Shape{1, 3});
    CHECK(floats(out[0]) == std::vector<float>{0.5F, 1, 1.5F});
  }

  TEST_CASE("MatMul with transB swaps the last two axes of every matrix") {
    const Tensor a = counting({2, 3, 4}, 0.5F);
    const Tensor b = counting({2, 5, 4}, 0.25F);
    const Tensor swapped = call_operator(kOnnx, "Transpose", {b}, {{"perm", std::vector<int64_t>{0, 2, 1}}})[0];
    CHECK(floats(call_operator(kOnnx, "MatMul", {a, b}, {{"transB", int64_t{1}}})[0]) ==
          floats(call_operator(kOnnx, "MatMul", {a, swapped})[0]));
  }

  TEST_CASE("SimplifiedLayerNormalization divides by the root of the mean square") {
    const auto out = call_operator(kOnnx, "SimplifiedLayerNormalization",
                                   {Tensor::of<float>({1, 4}, {2, -2, 2, -2}), Tensor::of<float>({4}, {1, 1, 3, 0})},
                                   {{"epsilon", 0.0F}}, 2);
    CHECK(floats(out[0]) == std::vector<float>{1, -1, 3, 0});
    CHECK(floats(out[1]) == std::vector<float>{0.5F});
  }

  TEST_CASE("a query that may attend to nothing gets zeros, not NaN") {
    const Tensor q = counting({1, 1, 2, 4}, 0.5F);
    const Tensor mask = Tensor::of<bool>({2, 2}, {true, true, false, false});
    const auto out = floats(call_operator(kOnnx, "Attention", {q, q, q, mask})[0]);
    CHECK(out[0] != 0);
    CHECK(std::vector<float>(out.begin() + 4, out.end()) == std::vector<float>(4, 0));
  }

  TEST_CASE("operands that do not fit are named with their shapes") {
    struct Row {
      std::string_view op;
      std::vector<Tensor> inputs;
      std::vector<Attribute> attributes;
      std::string_view domain;
      std::string message;
    };
    const auto f = [](Shape shape) { return Tensor::make(DType::f32, std::move(shape)); };
    const std::vector<Row> rows = {
        {"MatMul", {f({2, 3}), f({4, 5})}, {}, kOnnx, "product of [2,3] and [4,5]: 3 columns, expected 4"},
        {"MatMul", {f({}), f({4, 5})}, {}, kOnnx, "operand of a product is a scalar"},
        {"MatMul", {Tensor::make(DType::i64, {2, 2}), f({2, 2})}, {}, kOnnx, "MatMul of element type i64"},
        {"Gemm", {f({2, 3}), f({3, 2}), f({3})}, {}, kOnnx, "shapes [2,2] and [3] do not broadcast"},
        {"Gemm", {f({2}), f({2, 2})}, {}, kOnnx, "Gemm of shape [2], expected a matrix"},
        {"Add", {f({2}), Tensor::make(DType::f16, {2})}, {}, kOnnx, "Add of f32 and f16, expected one type"},
        {"Div",
         {Tensor::of<int64_t>({1}, {1}), Tensor::of<int64_t>({1}, {0})},
         {},
         kOnnx,
         "division of an integer by zero"},
        {"Softmax", {f({2})}, {{"axis", int64_t{1}}}, kOnnx, "axis 1 of a tensor of rank 1"},
        {"LayerNormalization", {f({2, 3}), f({4})}, {}, kOnnx, "shapes [4] and [3] do not broadcast"},
        {"Attention", {f({1, 2, 4}), f({1, 2, 4}), f({1, 2, 4})}, {}, kOnnx, "shape [1,2,4] with 0 heads"},
        {"Attention", {f({1, 3, 2, 4}), f({1, 2, 2, 4}), f({1, 2, 2, 4})}, {}, kOnnx, "do not fit"},
        {"RotaryEmbedding", {f({1, 1, 2, 4}), f({8, 3}), f({8, 3})}, {}, kOnnx, "expected rows of 2"},
        {"MatMulNBits",
         {f({1, 32}), Tensor::make(DType::u8, {2, 1, 16}), f({3})},
         {{"K", int64_t{32}}, {"N", int64_t{2}}, {"block_size", int64_t{32}}},
         kMicrosoft,
         "scales of shape [3], expected 2 elements"},
        {"MatMulNBits",
         {f({1, 32}), Tensor::make(DType::u8, {2, 1, 16}), f({2})},
         {{"K", std::numeric_limits<int64_t>::max()}, {"N", int64_t{2}}, {"block_size", int64_t{32}}},
         kMicrosoft,
         "is too large"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.message);
      std::string message;
      try {
        (void)call_operator(row.domain, row.op, row.inputs, row.attributes);
      } catch (const Error& error) {
        message = error.what();
      }
      CHECK_MESSAGE(message.find(row.message) != std::string::npos, message);
    }
  }

  TEST_CASE("integers wrap around instead of stopping the process") {
    constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
    const Tensor lowest = Tensor::of<int64_t>({1}, {kMin});
    const Tensor minus_one = Tensor::of<int64_t>({1}, {-1});
    const auto first = [](const std::vector<Tensor>& out) { return out[0].values<int64_t>()[0]; };
    CHECK(first(call_operator(kOnnx, "Div", {lowest, minus_one})) == kMin);
    CHECK(first(call_operator(kOnnx, "Mod", {lowest, minus_one})) == 0);
    CHECK(first(call_operator(kOnnx, "Abs", {lowest})) == kMin);
    CHECK(first(call_operator(kOnnx, "Neg", {lowest})) == kMin);
    CHECK(first(call_operator(kOnnx, "Sub", {lowest, Tensor::of<int64_t>({1}, {1})})) ==
          std::numeric_limits<int64_t>::max());
  }
}

}  // namespace
}  // namespace terse::calibration
