#include "formats/blocks/block_type.h"

#include <doctest/doctest.h>

#include <bit>
#include <filesystem>
#include <set>
#include <vector>

#include "formats/blocks/block_codec.h"
#include "formats/error.h"
#include "formats/gguf/reader.h"

namespace terse {
namespace {

/// Random blocks of every type, and what llama.cpp's Python package makes of them (see testdata/gguf/make.py).
gguf::File judged_blocks() { return gguf::read(std::filesystem::path(TERSE_TESTDATA) / "gguf/blocks.gguf"); }

TEST_SUITE("formats/blocks/block_type") {
  TEST_CASE("blocks decode to the bits that llama.cpp's package gives") {
    const gguf::File file = judged_blocks();
    for (const BlockTypeRow& type : block_types()) {
      if (type.codec == nullptr) {
        continue;
      }
      CAPTURE(type.name);
      const gguf::FileTensor* blocks = file.find(type.name);
      const gguf::FileTensor* expected = file.find(fmt::format("{}.f32", type.name));
      REQUIRE(blocks != nullptr);
      REQUIRE(expected != nullptr);
      REQUIRE(blocks->shape == expected->shape);
      const Tensor decoded = decode(*gguf::make_encoding(*blocks));
      for (int64_t i = 0; i < decoded.count(); ++i) {
        CAPTURE(i);
        const auto at = static_cast<size_t>(i);
        REQUIRE(std::bit_cast<uint32_t>(decoded.values<float>()[at]) ==
                std::bit_cast<uint32_t>(expected->data.values<float>()[at]));
      }
    }
  }

  TEST_CASE("packing what was unpacked gives the same bytes") {
    const gguf::File file = judged_blocks();
    for (const BlockTypeRow& type : block_types()) {
      if (!type.can_encode()) {
        continue;
      }
      CAPTURE(type.name);
      const auto blocks = file.find(type.name)->data.values<uint8_t>();
      const auto bytes = static_cast<size_t>(type.bytes);
      for (size_t at = 0; at < blocks.size(); at += bytes) {
        BlockParts parts;
        type.codec->unpack(blocks.data() + at, parts);
        std::vector<uint8_t> packed(bytes, 0xa5);
        type.codec->pack(parts, packed.data());
        REQUIRE(std::equal(packed.begin(), packed.end(), blocks.begin() + static_cast<std::ptrdiff_t>(at)));
      }
    }
  }

  TEST_CASE("ids and names are found again, and each is there once") {
    std::set<std::string_view> names;
    for (const BlockTypeRow& type : block_types()) {
      CAPTURE(type.name);
      CHECK(find_block_type(static_cast<uint32_t>(type.type)) == type.type);
      CHECK(find_block_type(type.name) == type.type);
      CHECK(&row(type.type) == &type);
      CHECK(names.insert(type.name).second);
    }
    CHECK_FALSE(find_block_type(uint32_t{4}));
    CHECK_FALSE(find_block_type("Q9_9"));
    CHECK(find_block_type(DType::bf16) == BlockType::bf16);
    CHECK_FALSE(find_block_type(DType::u8));
  }

  TEST_CASE("types whose layout is not known are refused by name") {
    const std::vector<std::byte> block(66);
    std::vector<float> numbers(256);
    CHECK_THROWS_WITH_AS(decode_blocks(BlockType::iq2_xxs, block, numbers), "cannot decode blocks of type IQ2_XXS",
                         Error);
  }

  TEST_CASE("an encoding of blocks decodes in parts, and its size follows from its type") {
    const gguf::File file = judged_blocks();
    const EncodingPtr encoding = gguf::make_encoding(*file.find("Q4_K"));
    REQUIRE(encoding->shape == Shape{2, 256});
    CHECK(describe(*encoding) == "Q4_K");
    CHECK(stored_bytes(*encoding) == 2 * 144);
    CHECK(compute_dtype(*encoding) == DType::f32);
    CHECK_FALSE(encoding->is_planned());
    const Tensor all = decode(*encoding);
    std::vector<float> second(256);
    decode_rows(*encoding, 1, 1, second);
    CHECK(std::equal(second.begin(), second.end(), all.values<float>().begin() + 256));
    release_rows(*encoding, 0, 1);
    release_pages(*encoding);
    const Encoding planned{.shape = {3, 512}, .form = BlockEncoding{.type = BlockType::q6_k, .blocks = {}}};
    CHECK(planned.is_planned());
    CHECK(stored_bytes(planned) == 3 * 2 * 210);
  }
}

}  // namespace
}  // namespace terse
