#include "formats/row_slices.h"

#include <doctest/doctest.h>

#include <numeric>

#include "formats/error.h"

namespace terse {
namespace {

std::vector<float> numbers(const EncodingPtr& weight) {
  const Tensor all = decode(*weight);
  return {all.values<float>().begin(), all.values<float>().end()};
}

Tensor counted(Shape shape) {
  Tensor values = Tensor::make(DType::f32, std::move(shape));
  std::iota(values.mutable_values<float>().begin(), values.mutable_values<float>().end(), 0.0F);
  return values;
}

std::string message(const EncodingPtr& weight, int64_t first, int64_t rows) {
  try {
    (void)slice_rows(weight, first, rows);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_SUITE("formats/row_slices") {
  TEST_CASE("an expert's rows of a stack are a matrix on the same bytes") {
    const EncodingPtr stack = make_dense(counted({3, 2, 2}));
    const EncodingPtr expert = slice_rows(stack, 2, 2);
    CHECK(expert->shape == Shape{2, 2});
    CHECK(numbers(expert) == std::vector<float>{4, 5, 6, 7});
    CHECK(expert->dense()->values.bytes().data() == stack->dense()->values.bytes().data() + 16);
  }

  TEST_CASE("every encoding gives the rows that it decodes to") {
    const Tensor codes = Tensor::of<uint8_t>({4, 1}, {0x21, 0x43, 0x65, 0x87});
    const Tensor scales = Tensor::of<float>({4, 1}, {1, 2, 3, 4}), one_scale = Tensor::of<float>({1, 1}, {2});
    const Tensor books = Tensor::of<float>({2, 16}, {0, 1, 2, 3, 4, 5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                     0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30});
    Tensor blocks = Tensor::make(DType::u8, {4, 34});
    for (size_t i = 0; i < blocks.mutable_bytes().size(); ++i) {
      blocks.mutable_bytes()[i] = static_cast<std::byte>(i % 100);
    }
    const std::vector<Encoding> weights = {
        {.shape = {2, 2, 2},
         .form = AffineEncoding{.bits = 4,
                                .group_columns = 2,
                                .scale_dtype = DType::f32,
                                .codes = codes,
                                .scales = scales,
                                .zero_points = {}}},
        {.shape = {2, 2, 2}, .form = CodebookEncoding{.group_rows = 2, .codes = codes, .codebooks = books}},
        {.shape = {2, 2, 32}, .form = BlockEncoding{.type = BlockType::q8_0, .blocks = blocks}},
        {.shape = {2, 2, 2},
         .form = DenseEncoding{.dtype = DType::f32, .transposed = true, .values = counted({2, 2, 2})}},
    };
    for (const Encoding& weight : weights) {
      CAPTURE(describe(weight));
      const auto whole = std::make_shared<const Encoding>(weight);
      const std::vector<float> all = numbers(whole), part = numbers(slice_rows(whole, 2, 2));
      CHECK(part == std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2), all.end()));
    }
  }

  TEST_CASE("rows that do not stand by themselves, or do not exist, are refused") {
    const EncodingPtr turned = make_dense_transposed(counted({2, 2, 3}));
    CHECK(message(turned, 0, 2) == "rows of a transposed matrix do not lie together");
    const auto shared = std::make_shared<const Encoding>(
        Encoding{.shape = {2, 2, 2}, .form = AffineEncoding{.bits = 4, .group_rows = 4}});
    CHECK(message(shared, 2, 2) == "rows 2 to 3 share what 4 rows have in common");
    CHECK(message(turned, 6, 2) == "shape [2,3,2] has no rows 6 to 7");
  }
}

}  // namespace terse
