#include "formats/utf8.h"

#include <doctest/doctest.h>

#include <string>

namespace terse {
namespace {

struct Row {
  std::string_view bytes;
  size_t valid;  ///< what Python 3 gives: bytes.decode() raises UnicodeDecodeError with this `start`
  size_t bad;    ///< and `end - start`
};

// clang-format off
constexpr Row kRows[] = {
    {"a\x80", 1, 1},                        // a continuation without a lead
    {"\xc0\xaf", 0, 1},                     // overlong
    {"\xe0\x9f\xbf", 0, 1},                 // overlong
    {"\xed\xa0\x80", 0, 1},                 // a surrogate
    {"\xf4\x90\x80\x80", 0, 1},             // above U+10FFFF
    {"eight ASCII\xe2\x82", 11, 2},         // cut off after two of three bytes
    {"\xc3\xa9\xf0\x9f\x98 ", 2, 3},        // and after three of four
    {"\xf0\x9f\x98\x80\xff", 4, 1},
};
// clang-format on

}  // namespace

TEST_SUITE("formats/utf8") {
  TEST_CASE("bad bytes are found where Python finds them") {
    for (const Row& row : kRows) {
      CAPTURE(row.bytes);
      CHECK(valid_utf8_prefix(row.bytes) == row.valid);
      CHECK(bad_utf8_prefix(row.bytes.substr(row.valid)) == row.bad);
      CHECK_FALSE(is_utf8(row.bytes));
    }
  }

  TEST_CASE("characters of one to four bytes are well-formed, and so is nothing at all") {
    for (const std::string_view text : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
      CAPTURE(text);
      CHECK(is_utf8(text));
    }
  }
}

}  // namespace terse
