#include "formats/encoding_record.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

constexpr std::string_view kMagic = "encodings\n";

Tensor bytes(int64_t rows, int64_t columns, uint8_t value) {
  Tensor tensor = Tensor::make(DType::u8, {rows, columns});
  std::ranges::fill(tensor.mutable_values<uint8_t>(), value);
  return tensor;
}

/// One of each form, [4, 32].
std::vector<Encoding> every_form() {
  const Shape shape = {4, 32};
  return {
      {.shape = shape, .form = DenseEncoding{.dtype = DType::f32, .values = Tensor::make(DType::f32, shape)}},
      {.shape = shape,
       .form = DenseEncoding{.dtype = DType::bf16, .transposed = true, .values = Tensor::make(DType::bf16, {32, 4})}},
      {.shape = shape,
       .form = AffineEncoding{.bits = 4,
                              .group_rows = 1,
                              .group_columns = 16,
                              .scale_dtype = DType::f16,
                              .asymmetric = true,
                              .codes = bytes(4, 16, 0x5a),
                              .scales = Tensor::make(DType::f16, {4, 2}),
                              .zero_points = bytes(4, 2, 7)}},
      {.shape = shape,
       .form = AffineEncoding{.bits = 8,
                              .group_rows = 4,
                              .group_columns = 32,
                              .scale_dtype = DType::f32,
                              .codes = bytes(4, 32, 200),
                              .scales = Tensor::make(DType::f32, {1, 1})}},
      {.shape = shape,
       .form = CodebookEncoding{.centroids = 12,
                                .group_rows = 2,
                                .codes = bytes(4, 16, 0xb3),
                                .codebooks = Tensor::make(DType::f32, {2, 12})}},
      {.shape = shape, .form = BlockEncoding{.type = BlockType::q4_0, .blocks = bytes(4, 18, 9)}},
  };
}

/// What `head` says of the blobs, once written and read again.
Encoding through_file(const std::string& head, const std::vector<std::span<const std::byte>>& blobs) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "records";
  RecordFile file = RecordFile::create(path, kMagic, "");
  const Record record = file.append(head, blobs);
  ByteReader reader(record.head);
  return read_encoding(reader, record);
}

TEST_SUITE("formats/encoding_record") {
  TEST_CASE("every form comes back with the same numbers") {
    for (const Encoding& encoding : every_form()) {
      CAPTURE(describe(encoding));
      std::string head;
      std::vector<std::span<const std::byte>> blobs;
      append_encoding(encoding, head, blobs);
      const Encoding found = through_file(head, blobs);
      CHECK(describe(found) == describe(encoding));
      CHECK(found.shape == encoding.shape);
      CHECK(stored_bytes(found) == stored_bytes(encoding));
      CHECK(std::ranges::equal(decode(found).bytes(), decode(encoding).bytes()));
    }
  }

  TEST_CASE("a head that says anything else ends in an Error, or in an encoding that can be decoded") {
    for (const Encoding& encoding : every_form()) {
      std::string head;
      std::vector<std::span<const std::byte>> blobs;
      append_encoding(encoding, head, blobs);
      for (size_t at = 0; at < head.size(); at += sizeof(int64_t)) {
        for (const int64_t value : {int64_t{-1}, int64_t{0}, int64_t{3}, int64_t{100}, INT64_MAX}) {
          CAPTURE(describe(encoding));
          CAPTURE(at);
          CAPTURE(value);
          std::string other = head;
          std::memcpy(other.data() + at, &value, sizeof(value));
          try {
            const Encoding found = through_file(other, blobs);
            CHECK(decode(found).count() == encoding.rows() * encoding.columns());
          } catch (const Error& error) {
            CHECK(error.kind() == Kind::input);
          }
        }
      }
    }
  }

  TEST_CASE("codes beyond their table, and too few tensors, are refused") {
    Encoding wild = every_form()[4];
    std::get<CodebookEncoding>(wild.form).codes = bytes(4, 16, 0xc0);
    std::string head;
    std::vector<std::span<const std::byte>> blobs;
    append_encoding(wild, head, blobs);
    CHECK_THROWS_AS(through_file(head, blobs), Error);
    head.clear();
    blobs.clear();
    const Encoding short_of_scales = every_form()[3];  // blobs look into it
    append_encoding(short_of_scales, head, blobs);
    blobs.pop_back();
    CHECK_THROWS_AS(through_file(head, blobs), Error);
  }
}

}  // namespace
}  // namespace terse
