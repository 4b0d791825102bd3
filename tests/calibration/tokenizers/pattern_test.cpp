#include "calibration/tokenizers/pattern.h"

#include <doctest/doctest.h>

#include <vector>

#include "formats/error.h"

namespace terse::calibration {
namespace {

std::vector<std::string> matches(const std::string& pattern, std::string_view text) {
  const Pattern compiled({.kind = TextPattern::Kind::regex, .text = pattern});
  Pattern::Search search(compiled);
  search.start(text);
  std::vector<std::string> found;
  while (const auto span = search.next()) {
    found.emplace_back(text.substr(span->begin, span->end - span->begin));
  }
  return found;
}

using Strings = std::vector<std::string>;

TEST_SUITE("calibration/tokenizers/pattern") {
  TEST_CASE("patterns match as in Oniguruma's Ruby syntax") {
    struct Row {
      std::string pattern, text;
      Strings expected;  // as Hugging Face's Split gives them
    };
    for (const Row& row : {
             Row{R"(\s+)", "a\u180eb\u3000\u0085c", {"\u3000\u0085"}},  // U+180E is no white space since Unicode 6.3
             Row{R"(\p{L}+)", "a\U000105c0\U0001e030-", {"a\U000105c0\U0001e030"}},  // letters since Unicode 15 and 16
             Row{R"(\p{N}{1,3})", "12345", {"123", "45"}},
             Row{R"(a{2}+)", "aaaaaa", {"aaaaaa"}},  // not possessive: repeated
             Row{R"(a{,2})", "aaa", {"aa", "a"}},
             Row{R"(x{a})", "x{a}", {"x{a}"}},
             Row{R"((?i:'s|'ll))", "'S '\u017f 'Ll", {"'S", "'\u017f", "'Ll"}},
             Row{R"([\p{L}&&[^a-c]]+)", "abcdef\u4e00", {"def\u4e00"}},
             Row{R"([[:punct:]]+)", "a+$!b", {"+$!"}},
             Row{R"([^\s\p{L}]+)", "a 1\U0001f600b", {"1\U0001f600"}},
             Row{R"(\h+)", "xFFg", {"FF"}},
             Row{R"(\bab\b)", "ab abc \u00e9ab ab", {"ab", "ab"}},
             Row{R"(.$)", "ab\ncd", {"b", "d"}},
             Row{R"(\s+(?!\S))", "a   b", {"  "}},
             Row{"b*", "abb", {"", "bb"}},
             Row{R"([\]\-\x41-\x{43}\u4e00-])", "]-ABD\u4e00", {"]", "-", "A", "B", "\u4e00"}},
         }) {
      CAPTURE(row.pattern);
      CHECK(matches(row.pattern, row.text) == row.expected);
    }
  }

  TEST_CASE("what is not translated is named") {
    for (const char* pattern : {"(a)\\1", "\\p{Greek}", "(?<name>a)", "\\R", "a(?i)b", "(", ")", "[a", "*a", "a{3}?",
                                "\\", "[z-a]", "\\x{110000}", "a{99999}", "\\pL", "[a-\\d]"}) {
      CAPTURE(pattern);
      CHECK_THROWS_AS(matches(pattern, "a"), Error);
    }
    CHECK_THROWS_AS(matches(std::string(1000, '('), "a"), Error);
    CHECK_THROWS_AS(matches(std::string(1000, '['), "a"), Error);
    CHECK_THROWS_AS(matches("\xff", "a"), Error);
  }
}

}  // namespace
}  // namespace terse::calibration
