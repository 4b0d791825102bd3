#include "formats/tensor.h"

#include <doctest/doctest.h>

#include <array>

#include "formats/error.h"

namespace terse {
namespace {

TEST_SUITE("formats/tensor") {
  TEST_CASE("every element type has a row that is found by its name") {
    for (int i = 1; i <= static_cast<int>(DType::complex128); ++i) {
      const auto dtype = static_cast<DType>(i);
      CAPTURE(name(dtype));
      CHECK(row(dtype).dtype == dtype);
      CHECK(find_dtype(name(dtype)) == dtype);
    }
    CHECK_FALSE(find_dtype("f33"));
  }

  TEST_CASE("shapes that are negative or overflow have no count") {
    CHECK(checked_count(Shape{}) == 1);
    CHECK(checked_count(Shape{2, 0, 3}) == 0);
    CHECK_FALSE(checked_count(Shape{-1}));
    CHECK_FALSE(checked_count(Shape{int64_t{1} << 40, int64_t{1} << 40}));
    CHECK_THROWS_WITH_AS(Tensor::make(DType::f32, {-3}), "shape [-3] is negative or too large", Error);
  }

  TEST_CASE("elements of less than a byte are packed") {
    CHECK(packed_bytes(DType::i4, 3) == 2);
    CHECK(packed_bytes(DType::u2, 5) == 2);
    CHECK(packed_bytes(DType::f64, 5) == 40);
  }

  TEST_CASE("a view must have the bytes that its shape needs") {
    const std::array<std::byte, 8> bytes = {};
    CHECK(Tensor::view(DType::f32, {2}, bytes, nullptr).count() == 2);
    CHECK_THROWS_WITH_AS(Tensor::view(DType::f32, {3}, bytes, nullptr), "8 bytes of data, expected 12 for f32 [3]",
                         Error);
  }

  TEST_CASE("an unaligned view is copied by aligned and by nothing else") {
    alignas(8) std::array<std::byte, 9> bytes = {};
    bytes[1] = std::byte{7};
    const Tensor odd = Tensor::view(DType::i32, {2}, std::span(bytes).subspan(1), nullptr);
    CHECK(odd.aligned().values<int32_t>()[0] == 7);
    CHECK(odd.aligned().bytes().data() != odd.bytes().data());
    const Tensor even = Tensor::view(DType::i32, {2}, std::span(bytes).first(8), nullptr);
    CHECK(even.aligned().bytes().data() == even.bytes().data());
  }

  TEST_CASE("float types convert through f32") {
    const Tensor values = Tensor::of<float>({4}, {1.0F, -2.5F, 0.0F, 1024.0F});
    for (const DType dtype : {DType::f16, DType::bf16, DType::f64, DType::f32}) {
      const Tensor back = to_f32(from_f32(values, dtype));
      CHECK(std::equal(back.values<float>().begin(), back.values<float>().end(), values.values<float>().begin()));
    }
    CHECK_THROWS_AS(to_f32(Tensor::of<int32_t>({1}, {1})), Error);
  }

  TEST_CASE("integers of every width become int64") {
    CHECK(to_int64s(Tensor::of<int8_t>({2}, {-1, 2})) == std::vector<int64_t>{-1, 2});
    CHECK(to_int64s(Tensor::of<uint32_t>({1}, {4000000000U})) == std::vector<int64_t>{4000000000});
    CHECK_THROWS_AS(to_int64s(Tensor::of<float>({1}, {1.0F})), Error);
  }
}

}  // namespace
}  // namespace terse
