#include "formats/record_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

constexpr std::string_view kMagic = "a test's records\n";

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A file of a first record and two others, the second with blobs of 3 bytes and of 5,000.
struct Records {
  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "records";
  std::string blob = std::string(5000, 'x');
  std::vector<int64_t> ends;  ///< of the file after each record

  Records() {
    RecordFile file = RecordFile::create(path, kMagic, "first");
    note_end();
    const std::vector<std::span<const std::byte>> blobs = {bytes_of("abc"), bytes_of(blob)};
    const Record record = file.append("second", blobs);
    CHECK(text_of(record.blobs[1]) == blob);
    note_end();
    file.append("third", {});
    note_end();
  }

  void note_end() { ends.push_back(static_cast<int64_t>(std::filesystem::file_size(path))); }

  std::vector<std::string> heads() const {
    std::vector<std::string> heads;
    if (const auto file = RecordFile::open(path, kMagic)) {
      for (const Record& record : file->records()) {
        heads.push_back(text_of(record.head));
      }
    }
    return heads;
  }
};

TEST_SUITE("formats/record_file") {
  TEST_CASE("records read back, large runs of bytes aligned to 64") {
    const Records records;
    CHECK(records.heads() == std::vector<std::string>{"first", "second", "third"});
    const auto file = RecordFile::open(records.path, kMagic);
    const Record& second = file->records()[1];
    REQUIRE(second.blobs.size() == 2);
    CHECK(text_of(second.blobs[0]) == "abc");
    CHECK(text_of(second.blobs[1]) == records.blob);
    for (const auto& blob : second.blobs) {
      CHECK(reinterpret_cast<uintptr_t>(blob.data()) % 64 == 0);
    }
  }

  TEST_CASE("wherever the file is cut, the whole records in front of the cut are there, and it can be gone on with") {
    const Records whole;
    const std::string bytes = read_text(whole.path);
    for (int64_t size = 0; size<whole.ends.back(); size += size> 600 && size < 5000 ? 97 : 1) {
      CAPTURE(size);
      write_text(whole.path, bytes.substr(0, static_cast<size_t>(size)));
      const auto expected = std::ranges::count_if(whole.ends, [&](int64_t end) { return end <= size; });
      CHECK(std::ssize(whole.heads()) == expected);
      if (expected > 0) {
        RecordFile::open(whole.path, kMagic)->append("more", {});
        CHECK(whole.heads().back() == "more");
        CHECK(std::ssize(whole.heads()) == expected + 1);
      }
    }
  }

  TEST_CASE("a byte that has changed ends the file there") {
    const Records whole;
    const std::string bytes = read_text(whole.path);
    for (size_t at = 0; at<bytes.size(); at += at> 500 && at < 5000 ? 61 : 1) {
      CAPTURE(at);
      std::string other = bytes;
      other[at] = static_cast<char>(other[at] ^ 0x40);
      write_text(whole.path, other);
      const std::vector<std::string> heads = whole.heads(), all = {"first", "second", "third"};
      // Padding is nobody's.
      CHECK(std::ranges::equal(heads, std::span(all).first(heads.size())));
      if (at < kMagic.size()) {
        CHECK(heads.empty());
      }
    }
  }

  TEST_CASE("sizes beyond the file, or beyond all numbers, end it as well") {
    const Records whole;
    const std::string bytes = read_text(whole.path);
    for (const size_t field : {1U, 2U, 3U, 5U}) {  // bytes of the head, blobs, bytes of each blob
      for (const uint64_t value : {uint64_t{1} << 20, uint64_t{1} << 63, ~uint64_t{0}}) {
        CAPTURE(field);
        CAPTURE(value);
        std::string other = bytes;
        const auto second = static_cast<size_t>(whole.ends[0]);
        std::memcpy(other.data() + second + field * sizeof(value), &value, sizeof(value));
        write_text(whole.path, other);
        CHECK(whole.heads() == std::vector<std::string>{"first"});
      }
    }
  }

  TEST_CASE("one writer at a time, and other files are none of these") {
    const Records records;
    const auto file = RecordFile::open(records.path, kMagic);
    CHECK_THROWS_AS(RecordFile::open(records.path, kMagic), Error);
    write_text(records.folder.path() / "other", "something else");
    CHECK_FALSE(RecordFile::open(records.folder.path() / "other", kMagic));
    write_text(records.folder.path() / "empty", "");
    CHECK_FALSE(RecordFile::open(records.folder.path() / "empty", kMagic));
  }
}

}  // namespace
}  // namespace terse
