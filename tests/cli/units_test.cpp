#include "cli/units.h"

#include <doctest/doctest.h>

#include <initializer_list>

#include "formats/error.h"

namespace terse::cli {
namespace {

TEST_SUITE("cli/units") {
  TEST_CASE("sizes are read with decimal and binary units") {
    struct Row {
      const char* text;
      int64_t bytes;
    };
    for (const auto& [text, bytes] : {Row{"80MB", 80'000'000},
                                      {"80 MB", 80'000'000},
                                      {"1.5GiB", 1'610'612'736},
                                      {"76MiB", 79'691'776},
                                      {"12kB", 12'000},
                                      {"3KiB", 3072},
                                      {"7", 7},
                                      {"7B", 7},
                                      {"0", 0},
                                      {"2GB", 2'000'000'000}}) {
      CAPTURE(text);
      CHECK(parse_size(text) == bytes);
    }
    for (const char* text : {"", "MB", "80XB", "80mb", "-1MB", "nan", "inf", "1e30GB", "80MB!", "0x10"}) {
      CAPTURE(text);
      CHECK_THROWS_AS(parse_size(text), Error);
    }
  }

  TEST_CASE("fractions are read as numbers and percentages") {
    CHECK(parse_fraction("0.02") == 0.02);
    CHECK(parse_fraction("2%") == 0.02);
    CHECK(parse_fraction("-1") == -1);
    for (const char* text : {"", "%", "2 %x", "two", "nan", "1e999"}) {
      CAPTURE(text);
      CHECK_THROWS_AS(parse_fraction(text), Error);
    }
  }

  TEST_CASE("sizes are shown in the largest unit that leaves a digit before the point") {
    CHECK(format_size(0) == "0 B");
    CHECK(format_size(999) == "999 B");
    CHECK(format_size(1000) == "1.0 kB");
    CHECK(format_size(999'949) == "999.9 kB");
    CHECK(format_size(999'950) == "1.0 MB");
    CHECK(format_size(542'422'276) == "542.4 MB");
    CHECK(format_size(2'500'000'000) == "2.50 GB");
  }

  TEST_CASE("counts get separators, times get units") {
    CHECK(format_count(7) == "7");
    CHECK(format_count(-123) == "-123");
    CHECK(format_count(-1234) == "-1,234");
    CHECK(format_count(134'515'008) == "134,515,008");
    CHECK(format_seconds(4.25) == "4.2 s");
    CHECK(format_seconds(192) == "3 min 12 s");
    CHECK(format_seconds(7384) == "2 h 3 min");
  }
}

}  // namespace
}  // namespace terse::cli
