#include "formats/gguf/reader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/formats/gguf/sample.h"
#include "tests/temporary_folder.h"

namespace terse::gguf {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(TERSE_TESTDATA) / "gguf";

template <typename T>
void append(std::string& text, T number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void append(std::string& text, const std::string& string) {
  append(text, uint64_t{string.size()});
  text += string;
}

/// The beginning of a file.
std::string head(uint64_t tensors, uint64_t entries) {
  std::string text = "GGUF";
  append(text, uint32_t{3});
  append(text, tensors);
  append(text, entries);
  return text;
}

struct Place {
  std::string name = "t";
  std::vector<uint64_t> dimensions = {4};
  uint32_t type = 0;
  uint64_t offset = 0;
};

void append(std::string& text, const Place& place) {
  append(text, place.name);
  append(text, static_cast<uint32_t>(place.dimensions.size()));
  for (const uint64_t dimension : place.dimensions) {
    append(text, dimension);
  }
  append(text, place.type);
  append(text, place.offset);
}

/// A file of these tensors and 64 bytes of data.
std::string with_tensors(const std::vector<Place>& places) {
  std::string text = head(places.size(), 0);
  for (const Place& place : places) {
    append(text, place);
  }
  text.resize((text.size() + 31) / 32 * 32 + 64);
  return text;
}

std::string with_alignment(uint32_t type, uint64_t value) {
  std::string text = head(0, 1);
  append(text, std::string("general.alignment"));
  append(text, type);
  append(text, value);
  return text;
}

std::string with_metadata(uint32_t type, const std::string& value) {
  std::string text = head(0, 1);
  append(text, std::string("key"));
  append(text, type);
  return text + value;
}

std::string message_of(const std::string& bytes) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "m.gguf";
  write_text(path, bytes);
  try {
    read(path);
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.starts_with(path.string() + ": "));
    return message.substr(path.string().size() + 2);
  }
  return "";
}

/// Reading ends with a model all of whose bytes are there, or with an Error.
bool reads(const fs::path& path) {
  try {
    unsigned sum = 0;
    for (const FileTensor& tensor : read(path).tensors) {
      for (const std::byte byte : tensor.data.bytes()) {
        sum += static_cast<unsigned>(byte);
      }
    }
    return sum != 1;
  } catch (const Error& error) {
    CHECK(error.kind() != Kind::internal);
    return false;
  }
}

TEST_SUITE("formats/gguf/reader") {
  TEST_CASE("a file of llama.cpp's package is read as it was written") {
    const File file = read(kFolder / "blocks.gguf");
    CHECK(file.version == 3);
    CHECK(file.metadata.find_string("general.architecture") == "test");
    CHECK(file.metadata.find_integer("a.u8") == 200);
    CHECK(file.metadata.find_integer("a.i8") == -100);
    CHECK(file.metadata.find_integer("a.u16") == 60000);
    CHECK(file.metadata.find_integer("a.i16") == -30000);
    CHECK(file.metadata.find_integer("a.u32") == 4000000000);
    CHECK(file.metadata.find_integer("a.i32") == -2000000000);
    CHECK(file.metadata.find_number("a.f32") == static_cast<double>(0.1F));
    CHECK(file.metadata.find_bool("a.bool") == true);
    CHECK(file.metadata.find_string("a.string") == "Grüße\nzwei");
    CHECK(file.metadata.find_number("a.u64") == 0x1p63);
    CHECK(file.metadata.find_integer("a.i64") == -(int64_t{1} << 62));
    CHECK(file.metadata.find_number("a.f64") == 0.1);
    CHECK(*file.metadata.find_array("a.strings") ==
          MetadataArray{std::vector<std::string>{"<s>", "", "\xe2\x96\x81the"}});
    CHECK(*file.metadata.find_array("a.bools") == MetadataArray{std::vector<bool>{true, false}});
    CHECK(*file.metadata.find_array("a.nested") ==
          MetadataArray{std::vector<MetadataArray>{{std::vector<int32_t>{1, 2}}, {std::vector<int32_t>{3}}}});
    CHECK(file.find("I32")->shape == Shape{2, 3, 4});
    CHECK(to_int64s(file.find("I32")->data)[23] == 23);
    CHECK(file.find("Q4_K")->type == BlockType::q4_k);
    CHECK(file.find("absent") == nullptr);
    const Tensor half = decode(*make_encoding(*file.find("F16"))), brain = decode(*make_encoding(*file.find("BF16")));
    for (size_t i = 0; i < 15; ++i) {
      CHECK(half.values<float>()[i] == doctest::Approx(brain.values<float>()[i]).epsilon(0.01));
    }
  }

  TEST_CASE("any part's name opens a split model") {
    for (const char* name : {"split-00001-of-00003.gguf", "split-00003-of-00003.gguf"}) {
      const File file = read(kFolder / name);
      REQUIRE(file.tensors.size() == 5);
      CHECK(file.files.size() == 3);
      CHECK(file.metadata.find_string("general.name") == "in three files");
      CHECK(file.metadata.find("split.count") == nullptr);
      for (size_t i = 0; i < 5; ++i) {
        CHECK(file.tensors[i].name == fmt::format("t{}", i));
        CHECK(file.tensors[i].data.values<float>().back() == static_cast<float>(i));
      }
    }
  }

  TEST_CASE("a split model whose parts are missing, renamed or doubled is refused") {
    const TemporaryFolder folder;
    const auto part = [&](int number) { return folder.path() / fmt::format("m-0000{}-of-00003.gguf", number); };
    for (const int number : {1, 2, 3}) {
      fs::copy_file(kFolder / fmt::format("split-0000{}-of-00003.gguf", number), part(number));
    }
    CHECK(read(part(1)).tensors.size() == 5);
    fs::copy_file(part(2), folder.path() / "other.gguf");
    CHECK_THROWS_AS(read(folder.path() / "other.gguf"), Error);
    fs::copy_file(part(2), part(3), fs::copy_options::overwrite_existing);
    CHECK_THROWS_AS(read(part(1)), Error);
    fs::remove(part(3));
    CHECK_THROWS_AS(read(part(1)), Error);
  }

  TEST_CASE("the other byte order is refused by name") {
    CHECK_THROWS_WITH_AS(read(kFolder / "big_endian.gguf"),
                         doctest::Contains("is a big-endian GGUF file, expected a little-endian one: convert it again"),
                         Error);
  }

  TEST_CASE("what contradicts itself is refused with a sentence") {
    constexpr uint64_t kHuge = uint64_t{1} << 62U;
    std::string deep;
    for (int i = 0; i < 9; ++i) {
      append(deep, uint32_t{9});
      append(deep, uint64_t{1});
    }
    std::string twice = head(0, 2);
    for (int i = 0; i < 2; ++i) {
      append(twice, std::string("key"));
      append(twice, uint32_t{0});
      twice += 'x';
    }
    struct Row {
      std::string bytes, message;
    };
    const Row rows[] = {
        {"", "the header is cut off at offset 0"},
        {"GGML", "is no GGUF file: it does not begin with 'GGUF'"},
        {std::string("GGUF\1\0\0\0", 8), "GGUF version 1, expected 2 or 3"},
        {head(kHuge, 0), "4611686018427387904 tensors do not fit into the rest of the file (8 bytes)"},
        {head(0, kHuge), "4611686018427387904 metadata entries do not fit into the rest of the file (0 bytes)"},
        {with_metadata(13, ""), "metadata 'key': unknown type 13"},
        {with_metadata(7, "\2"), "metadata 'key': a bool is 2, expected 0 or 1"},
        {with_metadata(8, std::string(8, '\x7f')),
         "metadata 'key': a string of 9187201950435737471 bytes at offset 47 is longer than the rest of the file (0 "
         "bytes)"},
        {with_metadata(9, std::string("\4\0\0\0", 4) + std::string(8, '\1')),
         "metadata 'key': 72340172838076673 array elements do not fit into the rest of the file (0 bytes)"},
        {with_metadata(9, std::string("\x0d\0\0\0", 4) + std::string(8, '\0')),
         "metadata 'key': array elements of unknown type 13"},
        {with_metadata(9, deep), "metadata 'key': arrays are nested more than 8 deep"},
        {twice, "metadata 'key' is there twice"},
        {with_alignment(4, 24), "metadata 'general.alignment' is 24, expected a power of two of at least 8"},
        {with_alignment(4, 4), "metadata 'general.alignment' is 4, expected a power of two of at least 8"},
        {with_alignment(4, 0), "metadata 'general.alignment' is 0, expected a power of two of at least 8"},
        {with_alignment(10, 32), "metadata 'general.alignment' is of type u64, expected u32"},
        {with_tensors({{.dimensions = {1, 1, 1, 1, 1}}}), "tensor 't': 5 dimensions, expected at most 4"},
        {with_tensors({{.dimensions = {kHuge, kHuge}}}),
         "tensor 't': shape [4611686018427387904,4611686018427387904] is too large"},
        {with_tensors({{.dimensions = {kHuge - 1}, .type = 28}}),
         "tensor 't': shape [4611686018427387903] is too large"},
        {with_tensors({{.dimensions = {UINT64_MAX}}}), "tensor 't': a dimension of 18446744073709551615"},
        {with_tensors({{.type = 4}}), "tensor 't': unknown type 4"},
        {with_tensors({{.dimensions = {40}, .type = 2}}),
         "tensor 't': rows of 40 numbers, expected a multiple of 32 for type Q4_0"},
        {with_tensors({{.offset = 8}}), "tensor 't': offset 8, expected a multiple of the alignment 32"},
        {with_tensors({{.offset = 64}}), "tensor 't': offset 64 + 16 bytes is past the end of the data (64 bytes)"},
        {with_tensors({{.dimensions = {17}}}),
         "tensor 't': offset 0 + 68 bytes is past the end of the data (64 bytes)"},
        {with_tensors({{.offset = 0x7fffffffffffffe0U}}),
         "tensor 't': offset 9223372036854775776 + 16 bytes is past the end of the data (64 bytes)"},
        {with_tensors({{.name = ""}}), "tensor '' has no name"},
        {with_tensors({{}, {.offset = 32}}), "tensor 't' is there twice"},
        {with_tensors({{.name = "b", .offset = 32}, {.name = "a", .dimensions = {9}}}),
         "tensors 'a' and 'b' overlap: offsets 0 and 32, the first has 36 bytes"},
    };
    for (const Row& row : rows) {
      CHECK(message_of(row.bytes) == row.message);
    }
  }

  TEST_CASE("every truncation and every changed byte of the header ends in a model or in an Error") {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "m.gguf";
    write(sample_metadata(), sample_tensors(), path);
    const std::string bytes = read_text(path);
    const auto data_offset = static_cast<size_t>(layout(sample_metadata(), sample_tensors()).data_offset);
    REQUIRE(reads(path));
    const size_t last_tensor_end = bytes.size() - 14;  // 210 bytes padded to 224
    for (size_t length = 0; length < bytes.size(); ++length) {
      fs::remove(path);
      write_text(path, bytes.substr(0, length));
      CAPTURE(length);
      CHECK(reads(path) == (length >= last_tensor_end));
    }
    int refused = 0;
    for (size_t at = 0; at < data_offset; ++at) {
      for (const unsigned flip : {1U, 0x80U, 0xffU}) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ flip);
        fs::remove(path);
        write_text(path, changed);
        refused += reads(path) ? 0 : 1;
      }
    }
    CHECK(refused > 0);
  }
}

}  // namespace
}  // namespace terse::gguf
