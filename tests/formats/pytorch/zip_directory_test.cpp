#include "formats/pytorch/zip_directory.h"

#include <doctest/doctest.h>

#include <string_view>

#include "formats/error.h"
#include "tests/formats/pytorch/files.h"

namespace terse::pytorch {
namespace {

/// "name=data;" of all entries, or the error.
std::string contents(std::string_view bytes) {
  std::string text;
  try {
    for (const auto& [name, data] : read_zip_directory(std::as_bytes(std::span(bytes)))) {
      text += name + "=" + std::string(reinterpret_cast<const char*>(data.data()), data.size()) + ";";
    }
  } catch (const Error& error) {
    CHECK(error.kind() != Kind::internal);
    return std::string("error: ") + error.what();
  }
  return text;
}

const std::vector<ZipEntry> kTwo = {{"b/x", "1234"}, {"a", ""}};

std::string replaced(std::string bytes, size_t at, std::string_view by) { return bytes.replace(at, by.size(), by); }

TEST_SUITE("formats/pytorch/zip_directory") {
  TEST_CASE("stored entries are views of the archive") {
    CHECK(contents(zip_bytes(kTwo)) == "a=;b/x=1234;");
    CHECK(contents(zip_bytes({})).empty());
    CHECK(contents(zip_bytes(kTwo, false, "a comment PK\5\6")) == "a=;b/x=1234;");
    const std::string bytes = zip_bytes(kTwo);
    CHECK(read_zip_directory(std::as_bytes(std::span(bytes))).at("b/x").data() ==
          std::as_bytes(std::span(bytes)).data() + bytes.find("1234"));
  }

  TEST_CASE("numbers of 64 bits are read where they are") { CHECK(contents(zip_bytes(kTwo, true)) == "a=;b/x=1234;"); }

  TEST_CASE("every truncation is an error, and every flipped bit is survived") {
    for (const bool zip64 : {false, true}) {
      const std::string whole = zip_bytes(kTwo, zip64);
      for (size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        CHECK(contents(std::string_view(whole).substr(0, length)).starts_with("error: "));
      }
      for (size_t at = 0; at < whole.size() * 8; ++at) {
        std::string broken = whole;
        broken[at / 8] = static_cast<char>(broken[at / 8] ^ 1 << at % 8);
        CHECK(contents(broken).size() < 400);
      }
    }
  }

  TEST_CASE("what cannot be read is refused by name") {
    const std::string one = zip_bytes({{"a", "12"}});
    const size_t directory = one.find("PK\1\2");
    struct Row {
      std::string bytes;
      const char* message;
    };
    for (const Row& row : {
             Row{"", "the end of a zip archive is missing"},
             Row{zip_bytes({{"a", "12", 8}}), "zip entry 'a' is compressed"},
             Row{zip_bytes({{"a", "12", 0, 1}}), "zip entry 'a' is encrypted"},
             Row{zip_bytes({{"a", "1"}, {"a", "2"}}), "zip entry 'a' occurs twice"},
             Row{replaced(one, 0, "PK\3\5"), "a local header begins with 0x05034b50"},
             Row{replaced(one, directory, "PK\1\3"), "an entry of the directory begins with"},
             Row{replaced(one, directory + 20, "\1"), "zip entry 'a' has 1 stored bytes, expected 2"},
             Row{replaced(one, directory + 20, "\xff\xff\xff\x7f\xff\xff\xff\x7f"), "data at offset 34 + 2147483647"},
             Row{replaced(one, directory + 42, "\xff\xff\xff\x7f"), "a local header at offset 2147483647"},
             Row{replaced(one, 30, "z"), "zip entry 'a' is called 'z'"},
             Row{replaced(one, one.size() - 12, "\xff"), "bytes expected at byte"},
             Row{replaced(one, one.size() - 6, "\xff\xff\xff\x7f"), "the directory at offset 2147483647"},
         }) {
      CAPTURE(row.message);
      const std::string found = contents(row.bytes);
      CAPTURE(found);
      CHECK(found.find(row.message) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace terse::pytorch
