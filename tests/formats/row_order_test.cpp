#include "formats/row_order.h"

#include <doctest/doctest.h>

#include <numeric>

#include "formats/error.h"

namespace terse {
namespace {

std::vector<float> numbers(const EncodingPtr& weight) {
  const Tensor all = decode(*weight);
  return {all.values<float>().begin(), all.values<float>().end()};
}

/// Row r holds 10 r, 10 r + 1.
EncodingPtr counted_rows(int64_t rows) {
  Tensor values = Tensor::make(DType::f32, {rows, 2});
  for (int64_t r = 0; r < rows; ++r) {
    values.mutable_values<float>()[static_cast<size_t>(2 * r)] = static_cast<float>(10 * r);
    values.mutable_values<float>()[static_cast<size_t>(2 * r + 1)] = static_cast<float>(10 * r + 1);
  }
  return make_dense(values);
}

TEST_SUITE("formats/row_order") {
  TEST_CASE("pairs that lie half a head apart become neighbours, head by head") {
    const auto turned = reorder_rows(counted_rows(8), 2, RowOrder::neighbours);
    CHECK(numbers(turned) == std::vector<float>{0, 1, 20, 21, 10, 11, 30, 31, 40, 41, 60, 61, 50, 51, 70, 71});
  }

  TEST_CASE("the way back restores every encoding") {
    const Tensor codes = Tensor::of<uint8_t>({4, 1}, {0x21, 0x43, 0x65, 0x87});
    const Tensor scales = Tensor::of<float>({4, 1}, {1, 2, 3, 4});
    Tensor blocks = Tensor::make(DType::u8, {4, 34});
    for (size_t i = 0; i < blocks.mutable_bytes().size(); ++i) {
      blocks.mutable_bytes()[i] = static_cast<std::byte>(i % 100);
    }
    const std::vector<Encoding> weights = {
        *counted_rows(4),
        *make_dense(Tensor::of<float>({4}, {5, 6, 7, 8})),
        {.shape = {4, 2},
         .form =
             AffineEncoding{
                 .bits = 4, .group_columns = 2, .scale_dtype = DType::f32, .codes = codes, .scales = scales}},
        {.shape = {4, 32}, .form = BlockEncoding{.type = BlockType::q8_0, .blocks = blocks}},
    };
    for (const Encoding& weight : weights) {
      const auto original = std::make_shared<const Encoding>(weight);
      CAPTURE(describe(weight));
      const auto there = reorder_rows(original, 1, RowOrder::neighbours);
      CHECK(numbers(there) != numbers(original));
      CHECK(numbers(reorder_rows(there, 1, RowOrder::halves)) == numbers(original));
    }
  }

  TEST_CASE("rows that are no heads are refused") {
    CHECK_THROWS_WITH_AS(reorder_rows(counted_rows(8), 3, RowOrder::halves),
                         "8 rows, expected 3 heads with an even number of rows each", Error);
    CHECK_THROWS_AS(reorder_rows(counted_rows(3), 1, RowOrder::halves), Error);
  }
}

}  // namespace
}  // namespace terse
