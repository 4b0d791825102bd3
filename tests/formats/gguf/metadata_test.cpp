#include "formats/gguf/metadata.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/formats/gguf/sample.h"

namespace terse::gguf {
namespace {

TEST_SUITE("formats/gguf/metadata") {
  TEST_CASE("integers of any width are integers, and numbers") {
    const Metadata metadata = sample_metadata();
    for (const auto& [key, value] : {std::pair<const char*, int64_t>{"u8", 200},
                                     {"i8", -100},
                                     {"u16", 60000},
                                     {"i16", -30000},
                                     {"u32", 4000000000},
                                     {"i32", -5},
                                     {"i64", -(int64_t{1} << 62)}}) {
      CAPTURE(key);
      CHECK(metadata.find_integer(key) == value);
      CHECK(metadata.find_number(key) == static_cast<double>(value));
    }
    CHECK_FALSE(metadata.find_integer("absent"));
    CHECK(metadata.find_number("f64") == 0.1);
  }

  TEST_CASE("a value of another type is refused by key") {
    const Metadata metadata = sample_metadata();
    CHECK_THROWS_WITH_AS(metadata.find_integer("f32"), "metadata 'f32' is of type f32, expected an integer", Error);
    CHECK_THROWS_WITH_AS(metadata.find_integer("bool"), "metadata 'bool' is of type bool, expected an integer", Error);
    CHECK_THROWS_WITH_AS(metadata.find_integer("u64"),
                         "metadata 'u64' is 9223372036854775808, expected a number of at most 63 bits", Error);
    CHECK_THROWS_WITH_AS(metadata.find_number("strings"),
                         "metadata 'strings' is of type array of string, expected a number", Error);
    CHECK_THROWS_WITH_AS(metadata.find_string("u8"), "metadata 'u8' is of type u8, expected string", Error);
    CHECK_THROWS_WITH_AS(metadata.find_array("u8"), "metadata 'u8' is of type u8, expected array", Error);
    CHECK_THROWS_WITH_AS(metadata.find_bool("u8"), "metadata 'u8' is of type u8, expected bool", Error);
  }

  TEST_CASE("setting replaces in place, erasing removes") {
    Metadata metadata;
    metadata.set("a", uint8_t{1});
    metadata.set("b", uint8_t{2});
    metadata.set("a", std::string("x"));
    CHECK(metadata.entries.front().first == "a");
    CHECK(metadata.find_string("a") == "x");
    metadata.erase("a");
    CHECK(metadata.entries.size() == 1);
    CHECK(metadata.find("a") == nullptr);
  }
}

}  // namespace
}  // namespace terse::gguf
