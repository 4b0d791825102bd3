#include "formats/gguf/writer.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "formats/gguf/reader.h"
#include "tests/formats/gguf/sample.h"
#include "tests/temporary_folder.h"

namespace terse::gguf {
namespace {

std::string bytes_of(const OutputTensor& tensor) {
  struct Collector : Sink {
    using Sink::write;
    void write(std::span<const std::byte> bytes) override {
      text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    std::string text;
  } collector;
  tensor.write(collector);
  return collector.text;
}

TEST_SUITE("formats/gguf/writer") {
  TEST_CASE("what was written is read back, and the layout is right to the byte") {
    const TemporaryFolder folder;
    const auto tensors = sample_tensors();
    for (const uint32_t alignment : {0U, 8U, 64U, 4096U}) {
      CAPTURE(alignment);
      Metadata metadata = sample_metadata();
      if (alignment > 0) {
        metadata.set("general.alignment", alignment);
      }
      const auto path = folder.path() / "m.gguf";
      const FileLayout places = layout(metadata, tensors);
      write(metadata, tensors, path);
      CHECK(static_cast<int64_t>(std::filesystem::file_size(path)) == places.total_bytes);
      const File file = read(path);
      CHECK(file.file_bytes == places.total_bytes);
      CHECK(file.metadata.entries == metadata.entries);
      REQUIRE(file.tensors.size() == tensors.size());
      const std::string all = read_text(path);
      for (size_t i = 0; i < tensors.size(); ++i) {
        CAPTURE(tensors[i].name);
        CHECK(file.tensors[i].name == tensors[i].name);
        CHECK(file.tensors[i].type == tensors[i].type);
        CHECK(file.tensors[i].shape == tensors[i].shape);
        const std::string expected = bytes_of(tensors[i]);
        const auto bytes = file.tensors[i].data.bytes();
        CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == expected);
        CHECK(places.tensors[i].offset % std::max(alignment, 8U) == 0);
        CHECK(all.substr(static_cast<size_t>(places.tensors[i].offset), static_cast<size_t>(places.tensors[i].bytes)) ==
              expected);
      }
    }
  }

  TEST_CASE("a file without tensors has a header only") {
    const TemporaryFolder folder;
    write(sample_metadata(), {}, folder.path() / "m.gguf");
    CHECK(read(folder.path() / "m.gguf").metadata.entries == sample_metadata().entries);
  }

  TEST_CASE("what a file cannot hold is refused before anything is written") {
    Metadata crooked, unnamed;
    crooked.set("general.alignment", uint32_t{24});
    unnamed.set("", true);
    struct Row {
      Metadata metadata;
      std::vector<OutputTensor> tensors;
      std::string_view message;
    };
    const std::string long_name(64, 'n');
    const Row rows[] = {
        {crooked, {}, "metadata 'general.alignment' must be a u32, a power of two of at least 8"},
        {unnamed, {}, "metadata '' has no key"},
        {{},
         {output_tensor("a", BlockType::f32, {1}), output_tensor("a", BlockType::f32, {1})},
         "tensor 'a' is there twice"},
        {{}, {output_tensor("", BlockType::f32, {1})}, "tensor '': a name of 0 bytes, expected 1 to 63"},
        {{},
         {output_tensor(long_name, BlockType::f32, {1})},
         "tensor 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn': a name of 64 bytes, expected 1 to "
         "63"},
        {{},
         {output_tensor("a", BlockType::f32, {1, 1, 1, 1, 1})},
         "tensor 'a': shape [1,1,1,1,1], expected at most 4 dimensions of a size that can be stored"},
        {{},
         {output_tensor("a", BlockType::q4_k, {2, 384})},
         "tensor 'a': rows of 384 numbers, expected a multiple of 256 for type Q4_K"},
    };
    const TemporaryFolder folder;
    for (const Row& row : rows) {
      CHECK_THROWS_WITH_AS(layout(row.metadata, row.tensors), std::string(row.message).c_str(), Error);
      CHECK_THROWS_AS(write(row.metadata, row.tensors, folder.path() / "m.gguf"), Error);
    }
    CHECK(folder.count() == 0);
  }

  TEST_CASE("a tensor that gives other than its bytes leaves no file") {
    const TemporaryFolder folder;
    OutputTensor tensor = output_tensor("a", BlockType::f32, {4});
    tensor.write = [](Sink& sink) { sink.write("too short"); };
    CHECK_THROWS_WITH_AS(write({}, std::span(&tensor, 1), folder.path() / "m.gguf"),
                         "tensor 'a' gave 9 bytes, 16 were planned", Error);
    CHECK(folder.count() == 0);
  }
}

}  // namespace
}  // namespace terse::gguf
