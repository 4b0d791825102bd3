#include "calibration/gemm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

using Operand = PackedMatrix::Operand;

std::vector<float> random_floats(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) {
    x = normal(generator);
  }
  return out;
}

double at(const float* matrix, int64_t leading, bool transposed, int64_t row, int64_t column) {
  return matrix[transposed ? column * leading + row : row * leading + column];
}

/// The largest difference from sums in double, in units of sqrt(k).
double error_of(const Product& p) {
  double worst = 0;
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < p.k; ++l) {
        sum += at(p.a, p.lda, p.transpose_a, i, l) * at(p.b, p.ldb, p.transpose_b, l, j);
      }
      worst = std::max(worst, std::abs(sum - static_cast<double>(p.c[i * p.ldc + j])));
    }
  }
  return worst / std::sqrt(static_cast<double>(p.k) + 1);
}

std::vector<float> multiply_rows(const std::vector<float>& a, const PackedMatrix& b, int64_t piece) {
  const int64_t rows = static_cast<int64_t>(a.size()) / b.depth();
  std::vector<float> c(static_cast<size_t>(rows * b.columns()));
  for (int64_t row = 0; row < rows; row += piece) {
    multiply(a.data() + row * b.depth(), std::min(piece, rows - row), b, c.data() + row * b.columns());
  }
  return c;
}

TEST_SUITE("calibration/gemm") {
  TEST_CASE("products agree with sums in double at any shape, stride and transposition") {
    struct Dims {
      int64_t m, n, k;
    };
    for (const auto& [m, n, k] : {Dims{1, 1, 1}, {1, 37, 64}, {3, 5, 7}, {17, 33, 129}, {260, 19, 31}, {5, 1, 9}}) {
      for (const bool transpose_a : {false, true}) {
        for (const bool transpose_b : {false, true}) {
          CAPTURE(m);
          CAPTURE(n);
          CAPTURE(k);
          CAPTURE(transpose_a);
          CAPTURE(transpose_b);
          const int64_t padding = 3;
          const int64_t lda = (transpose_a ? m : k) + padding;
          const int64_t ldb = (transpose_b ? k : n) + padding;
          const auto a = random_floats(lda * (transpose_a ? k : m), 1);
          const auto b = random_floats(ldb * (transpose_b ? n : k), 2);
          std::vector<float> c(static_cast<size_t>(m * (n + padding)), 77);
          const Product p{.m = m,
                          .n = n,
                          .k = k,
                          .a = a.data(),
                          .lda = lda,
                          .transpose_a = transpose_a,
                          .b = b.data(),
                          .ldb = ldb,
                          .transpose_b = transpose_b,
                          .c = c.data(),
                          .ldc = n + padding};
          multiply(p);
          CHECK(error_of(p) < 3e-6);
          CHECK(c[static_cast<size_t>(n)] == 77);
        }
      }
    }
  }

  TEST_CASE("sums over nothing are zero") {
    std::vector<float> c(6, 1);
    multiply(Product{.m = 2, .n = 3, .k = 0, .lda = 1, .ldb = 3, .c = c.data(), .ldc = 3});
    CHECK(c == std::vector<float>(6, 0));
  }

  TEST_CASE("threads, and splits of the rows at panels, change no bit") {
    const int64_t rows = 3 * kPanelRows + 5;
    const auto weight = make_dense(Tensor::of<float>({48, 70}, random_floats(48 * 70, 3)));
    const auto packed = PackedMatrix::pack(*weight, Operand::transposed);
    const auto a = random_floats(rows * 70, 4);
    std::vector<float> expected;
    {
      const ThreadLimit one(1);
      expected = multiply_rows(a, *packed, rows);
    }
    for (const int64_t threads : {2, 3}) {
      const ThreadLimit limit(threads);
      CHECK(multiply_rows(a, *packed, rows) == expected);
      CHECK(multiply_rows(a, *packed, kPanelRows) == expected);
    }
  }

  TEST_CASE("a matrix gives the same product however it is stored") {
    const auto values = random_floats(12 * 20, 5);
    std::vector<float> swapped(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      swapped[(i % 20) * 12 + i / 20] = values[i];
    }
    const auto a = random_floats(9 * 20, 6);
    const auto stored = make_dense(Tensor::of<float>({12, 20}, values));
    const auto expected = multiply_rows(a, *PackedMatrix::pack(*stored, Operand::transposed), 9);
    const auto transposed = make_dense_transposed(Tensor::of<float>({20, 12}, swapped));
    const auto plain = make_dense(Tensor::of<float>({20, 12}, swapped));
    for (const auto& packed :
         {PackedMatrix::pack(*transposed, Operand::transposed), PackedMatrix::pack(*plain, Operand::plain)}) {
      CHECK(packed->depth() == 20);
      CHECK(packed->columns() == 12);
      const auto result = multiply_rows(a, *packed, 9);
      for (size_t i = 0; i < result.size(); ++i) {
        CHECK(result[i] == doctest::Approx(expected[i]).epsilon(1e-5));
      }
    }
  }

  TEST_CASE("an encoded weight multiplies as its decoded numbers") {
    AffineEncoding affine{.bits = 4, .group_rows = 1, .group_columns = 16};
    std::vector<uint8_t> codes(8 * 16);
    for (size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<uint8_t>(i * 37);
    }
    affine.codes = Tensor::of<uint8_t>({8, 16}, codes);
    affine.scales = from_f32(Tensor::of<float>({8, 2}, random_floats(16, 7)), DType::f16);
    const Encoding encoded{.shape = {8, 32}, .form = affine};
    const auto a = random_floats(5 * 32, 8);
    CHECK(multiply_rows(a, *PackedMatrix::pack(encoded, Operand::transposed), 5) ==
          multiply_rows(a, *PackedMatrix::pack(*make_dense(decode(encoded)), Operand::transposed), 5));
  }

  TEST_CASE("bf16 products are f32 sums over rounded factors, however the weight is stored") {
    if (fast_precision() == Precision::f32) {
      return;  // this processor has no such products
    }
    const int64_t rows = 300, depth = 96, columns = 20;
    const auto a = random_floats(rows * depth, 11), w = random_floats(columns * depth, 12);
    const auto round = [](const Tensor& tensor) { return to_f32(from_f32(tensor, DType::bf16)); };
    const Tensor rounded_a = round(Tensor::of<float>({rows, depth}, a));
    const Tensor weight = Tensor::of<float>({columns, depth}, w), narrow = from_f32(weight, DType::bf16);
    std::vector<float> expected(static_cast<size_t>(rows * columns));
    multiply(rounded_a.values<float>().data(), rows,
             *PackedMatrix::pack(*make_dense(round(weight)), Operand::transposed), expected.data());
    std::vector<BFloat16> swapped(w.size());
    for (size_t i = 0; i < w.size(); ++i) {
      swapped[i % depth * columns + i / depth] = narrow.values<BFloat16>()[i];
    }
    const Tensor plain = Tensor::of<BFloat16>({depth, columns}, swapped);
    const std::vector<std::pair<EncodingPtr, Operand>> forms = {{make_dense(weight), Operand::transposed},
                                                                {make_dense(narrow), Operand::transposed},
                                                                {make_dense_transposed(plain), Operand::transposed},
                                                                {make_dense(plain), Operand::plain}};
    for (const auto& [encoding, operand] : forms) {
      const auto packed = PackedMatrix::pack(*encoding, operand, Precision::bf16);
      const auto found = multiply_rows(a, *packed, rows);
      double worst = 0;
      for (size_t i = 0; i < found.size(); ++i) {
        worst = std::max(worst, static_cast<double>(std::abs(found[i] - expected[i])));
      }
      CHECK(worst < 1e-4);
      const ThreadLimit one(1);
      CHECK(multiply_rows(a, *packed, rows) == found);
    }
  }

  TEST_CASE("a streamed weight gives the product of a packed one, on any number of threads") {
    constexpr int64_t kDepth = 512, kColumns = 1100, kRows = 6;  // three tiles, the last one shorter
    const auto values = random_floats(kColumns * kDepth, 9);
    const Tensor swapped = Tensor::of<float>({kDepth, kColumns}, values);
    CodebookEncoding codebook{.centroids = 2, .group_rows = kColumns};
    codebook.codes = Tensor::make(DType::u8, {kColumns, kDepth / 2});
    for (size_t i = 0; i < codebook.codes.mutable_values<uint8_t>().size(); ++i) {
      codebook.codes.mutable_values<uint8_t>()[i] = static_cast<uint8_t>(i % 3 == 0 ? 0x10 : 0x01);
    }
    codebook.codebooks = Tensor::of<float>({1, 2}, {-0.5F, 2.0F});
    const auto coded = std::make_shared<const Encoding>(Encoding{.shape = {kColumns, kDepth}, .form = codebook});
    const auto a = random_floats(kRows * kDepth, 10);
    for (const EncodingPtr& weight :
         {make_dense(Tensor::of<float>({kColumns, kDepth}, values)), make_dense_transposed(swapped),
          make_dense(from_f32(swapped.reshaped({kColumns, kDepth}), DType::f16)), coded}) {
      CAPTURE(describe(*weight));
      const auto expected = multiply_rows(a, *PackedMatrix::pack(*weight, Operand::transposed), kRows);
      const auto streamed = PackedMatrix::stream(weight, Operand::transposed);
      const auto result = multiply_rows(a, *streamed, kRows);
      double worst = 0;
      for (size_t i = 0; i < result.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(result[i]) - static_cast<double>(expected[i])));
      }
      CHECK(worst < 1e-3);  // of sums of 512 products of normal numbers
      const ThreadLimit one(1);
      CHECK(multiply_rows(a, *streamed, kRows) == result);
    }
  }

  TEST_CASE("only matrices of floats can be packed") {
    CHECK_THROWS_AS((void)PackedMatrix::pack(*make_dense(Tensor::of<float>({2}, {1, 2})), Operand::plain), Error);
    CHECK_THROWS_AS((void)PackedMatrix::pack(*make_dense(Tensor::of<int64_t>({1, 1}, {1})), Operand::plain), Error);
  }
}

}  // namespace
}  // namespace terse::calibration
