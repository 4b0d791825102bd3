#include "formats/blocks/affine_blocks.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace terse {
namespace {

Encoding affine(int bits) {
  AffineEncoding form{.bits = bits, .group_columns = 32, .scale_dtype = DType::f16};
  form.codes = Tensor::make(DType::u8, {3, 64 * bits / 8});
  uint8_t next = 3;
  std::ranges::generate(form.codes.mutable_values<uint8_t>(),
                        [&] { return next = static_cast<uint8_t>(next * 5 + 1); });
  form.scales = from_f32(Tensor::of<float>({3, 2}, {0.5F, -0.25F, 2, 1, 0, 3}), DType::f16);
  return {.shape = {3, 64}, .form = std::move(form)};
}

bool are_equal(const Encoding& a, const Encoding& b) {
  return std::ranges::equal(decode(a).values<float>(), decode(b).values<float>());
}

TEST_SUITE("formats/blocks/affine_blocks") {
  TEST_CASE("an affine grid becomes blocks and comes back without a rounding") {
    for (const int bits : {4, 8}) {
      CAPTURE(bits);
      const Encoding original = affine(bits);
      const Encoding blocks = to_blocks(original);
      CHECK(describe(blocks) == (bits == 4 ? "Q4_0" : "Q8_0"));
      CHECK(are_equal(blocks, original));
      const EncodingPtr back = as_affine(std::make_shared<const Encoding>(blocks));
      REQUIRE(back->affine() != nullptr);
      CHECK(std::ranges::equal(back->affine()->codes.bytes(), original.affine()->codes.bytes()));
      CHECK(std::ranges::equal(back->affine()->scales.bytes(), original.affine()->scales.bytes()));
    }
  }

  TEST_CASE("blocks share the scale of a larger group") {
    for (const int64_t group : {32, 64}) {
      Encoding original = affine(4);
      auto& form = std::get<AffineEncoding>(original.form);
      form.group_columns = group;
      form.scales = from_f32(
          Tensor::of<float>({3, 64 / group}, std::vector<float>(static_cast<size_t>(192 / group), 0.5F)), DType::f16);
      form.scales.mutable_values<Half>()[1] = to_half(-3);
      CAPTURE(group);
      CHECK(are_equal(to_blocks(original), original));
    }
  }

  TEST_CASE("other grids have no equal block type") {
    const auto changed = [](auto change) {
      Encoding encoding = affine(4);
      change(std::get<AffineEncoding>(encoding.form));
      return equal_block_type(encoding);
    };
    CHECK(changed([](AffineEncoding&) {}) == BlockType::q4_0);
    CHECK_FALSE(changed([](AffineEncoding& a) { a.bits = 2; }));
    CHECK_FALSE(changed([](AffineEncoding& a) { a.group_columns = 16; }));
    CHECK_FALSE(changed([](AffineEncoding& a) { a.asymmetric = true; }));
    CHECK_FALSE(changed([](AffineEncoding& a) { a.scale_dtype = DType::f32; }));
    CHECK_FALSE(changed([](AffineEncoding& a) { a.group_rows = 3; }));
  }

  TEST_CASE("blocks of other types stay as they are, planned ones stay planned") {
    const auto blocks = [](BlockType type) {
      return std::make_shared<const Encoding>(Encoding{.shape = {3, 256}, .form = BlockEncoding{.type = type}});
    };
    const EncodingPtr q6 = blocks(BlockType::q6_k);
    CHECK(as_affine(q6) == q6);
    const EncodingPtr q8 = as_affine(blocks(BlockType::q8_0));
    REQUIRE(q8->affine() != nullptr);
    CHECK(q8->is_planned());
    CHECK(to_blocks(*q8).is_planned());
  }
}

}  // namespace
}  // namespace terse
