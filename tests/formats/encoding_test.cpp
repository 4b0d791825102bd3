#include "formats/encoding.h"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

#include "formats/error.h"

namespace terse {
namespace {

std::vector<float> floats(const Tensor& t) { return {t.values<float>().begin(), t.values<float>().end()}; }

Encoding int4_blocks() {
  // Two rows of three columns in blocks of two: the last block of each row has one column.
  AffineEncoding a{.bits = 4, .group_rows = 1, .group_columns = 2};
  a.codes = Tensor::of<uint8_t>({2, 2}, {0x98, 0x07, 0x0f, 0x08});
  a.scales = Tensor::of<Half>({2, 2}, {to_half(0.5F), to_half(2.0F), to_half(-1.0F), to_half(0.25F)});
  return {.shape = {2, 3}, .form = a};
}

TEST_SUITE("formats/encoding") {
  TEST_CASE("affine codes decode as (code - zero point) * scale, the first in the low bits") {
    CHECK(floats(decode(int4_blocks())) == std::vector<float>{0, 0.5F, -2, -7, 8, 0});
  }

  TEST_CASE("scales may be bf16, at any alignment") {
    Encoding e = int4_blocks();
    auto& a = std::get<AffineEncoding>(e.form);
    a.scale_dtype = DType::bf16;
    const std::vector<uint8_t> bytes = {0xff, 0x00, 0x3f, 0x00, 0x40, 0x80, 0xbf, 0x80, 0x3e};  // 0.5, 2, -1, 0.25
    a.scales = Tensor::view(DType::bf16, {2, 2}, std::as_bytes(std::span(bytes)).subspan(1), nullptr);
    CHECK(floats(decode(e)) == std::vector<float>{0, 0.5F, -2, -7, 8, 0});
  }

  TEST_CASE("zero points shift the grid") {
    Encoding e = int4_blocks();
    auto& a = std::get<AffineEncoding>(e.form);
    a.asymmetric = true;
    a.zero_points = Tensor::of<uint8_t>({2, 2}, {0, 7, 15, 8});
    CHECK(floats(decode(e)) == std::vector<float>{4, 4.5F, 0, 0, 15, 0});
  }

  TEST_CASE("one scale may serve the whole tensor") {
    AffineEncoding a{.bits = 8, .group_rows = 2, .group_columns = 2, .scale_dtype = DType::f32};
    a.codes = Tensor::of<uint8_t>({2, 2}, {128, 129, 0, 255});
    a.scales = Tensor::of<float>({1, 1}, {0.5F});
    const Encoding e{.shape = {2, 2}, .form = a};
    CHECK(floats(decode(e)) == std::vector<float>{0, 0.5F, -64, 63.5F});
    CHECK(describe(e) == "int8 tensor");
    CHECK(stored_bytes(e) == 4 + 4);
  }

  TEST_CASE("codebooks are looked up by the row's group") {
    CodebookEncoding b{.centroids = 2, .group_rows = 2};
    b.codes = Tensor::of<uint8_t>({4, 1}, {0x01, 0x10, 0x11, 0x00});
    b.codebooks = Tensor::of<float>({2, 2}, {-1, 1, -3, 3});
    const Encoding e{.shape = {4, 2}, .form = b};
    CHECK(floats(decode(e)) == std::vector<float>{1, -1, -1, 1, 3, 3, -3, -3});
    CHECK(describe(e) == "codebook 2 rows 2");
  }

  TEST_CASE("a transposed dense matrix decodes to its logical rows, whole or in parts") {
    std::vector<float> stored(3 * 40 * 50);  // three experts, [in = 40, out = 50] each
    std::iota(stored.begin(), stored.end(), 0.0F);
    const auto e = make_dense_transposed(Tensor::of<float>({3, 40, 50}, stored));
    REQUIRE(e->shape == Shape{3, 50, 40});
    const auto all = floats(decode(*e));
    CHECK(all[(1 * 50 + 7) * 40 + 3] == stored[(1 * 40 + 3) * 50 + 7]);
    std::vector<float> part(60 * 40);
    decode_rows(*e, 30, 60, part);
    CHECK(std::equal(part.begin(), part.end(), all.begin() + 30 * 40));
  }

  TEST_CASE("f16, bf16 and f64 decode to the same numbers, at any alignment") {
    const Tensor values = Tensor::of<float>({2, 2}, {1, -2, 0.5F, 4});
    for (const DType dtype : {DType::f16, DType::bf16, DType::f64}) {
      const Tensor stored = from_f32(values, dtype);
      std::vector<std::byte> shifted(stored.bytes().size() + 1);
      std::copy(stored.bytes().begin(), stored.bytes().end(), shifted.begin() + 1);
      const Tensor odd = Tensor::view(dtype, {2, 2}, std::span(shifted).subspan(1), nullptr);
      CHECK(floats(decode(*make_dense(odd))) == floats(values));
    }
  }

  TEST_CASE("integers do not decode to floats") {
    CHECK_THROWS_AS(decode(*make_dense(Tensor::of<int64_t>({1}, {1}))), Error);
  }

  TEST_CASE("sizes follow from the description alone") {
    struct Row {
      Encoding encoding;
      int64_t bytes;
      std::string_view name;
    };
    const Row rows[] = {
        {{{64, 100}, AffineEncoding{.bits = 4, .group_columns = 32}}, 64 * 50 + 64 * 4 * 2, "int4 block 32"},
        {{{64, 100}, AffineEncoding{.bits = 4, .group_columns = 32, .asymmetric = true}},
         64 * 50 + 64 * 4 * 2 + 128,
         "uint4 block 32"},
        {{{64, 101}, AffineEncoding{.bits = 8, .group_columns = 101, .scale_dtype = DType::f32}},
         64 * 101 + 64 * 4,
         "int8 channel"},
        {{{64, 100}, CodebookEncoding{.centroids = 16}}, 64 * 50 + 64 * 16 * 4, "codebook 16 row"},
        {{{64, 100}, CodebookEncoding{.centroids = 256, .group_rows = 64}}, 64 * 100 + 256 * 4, "codebook 256 tensor"},
        {{{64, 100}, DenseEncoding{.dtype = DType::bf16}}, 64 * 100 * 2, "bf16"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.name);
      CHECK(row.encoding.is_planned());
      CHECK(stored_bytes(row.encoding) == row.bytes);
      CHECK(describe(row.encoding) == row.name);
    }
  }

  TEST_CASE("packing and unpacking are inverse") {
    for (const int bits : {2, 4, 8}) {
      std::vector<uint8_t> codes(13);
      for (size_t i = 0; i < codes.size(); ++i) {
        codes[i] = static_cast<uint8_t>((i * 7) & ((1U << bits) - 1));
      }
      std::vector<uint8_t> packed((codes.size() * static_cast<size_t>(bits) + 7) / 8);
      pack_codes(codes, bits, packed);
      std::vector<uint8_t> back(codes.size());
      unpack_codes(packed, bits, back);
      CHECK(back == codes);
      CHECK(unpack_code(packed.data(), 5, bits) == codes[5]);
    }
  }
}

}  // namespace
}  // namespace terse
