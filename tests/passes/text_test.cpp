#include "passes/text.h"

#include <doctest/doctest.h>

#include <array>

namespace terse::passes {
namespace {

TEST_SUITE("passes/text") {
  TEST_CASE("splitting keeps empty pieces, also at the end") {
    using Pieces = std::vector<std::string_view>;
    CHECK(split("", ',').empty());
    CHECK(split("a", ',') == Pieces{"a"});
    CHECK(split("a,,b,", ',') == Pieces{"a", "", "b", ""});
  }

  TEST_CASE("trimming takes white space off both ends") {
    CHECK(trim(" \ta b\n") == "a b");
    CHECK(trim(" \n").empty());
  }

  TEST_CASE("patterns match whole names") {
    struct Row {
      std::string_view pattern, text;
      bool expected;
    };
    for (const Row& row :
         {Row{"*.mlp.*", "model.layers.0.mlp.up.weight", true}, Row{"*.mlp.*", "model.mlp", false}, Row{"q", "q", true},
          Row{"q", "qk", false}, Row{"*", "", true}, Row{"a*b*c", "aXbYbZc", true}, Row{"a?c", "abc", true},
          Row{"a?c", "ac", false}, Row{"**", "x", true}, Row{"a*", "ba", false}}) {
      CAPTURE(row.pattern);
      CAPTURE(row.text);
      CHECK(matches(row.pattern, row.text) == row.expected);
    }
  }

  TEST_CASE("the nearest word is found for a slip, none for another word") {
    constexpr std::array<std::string_view, 3> kWords = {"quantize", "prune", "cluster"};
    CHECK(nearest("qauntize", kWords) == "quantize");
    CHECK(nearest("prun", kWords) == "prune");
    CHECK_FALSE(nearest("simplify", kWords));
    CHECK(suggestion("clutser", kWords) == ", did you mean 'cluster'?");
    CHECK(suggestion("zzzzzzzz", kWords).empty());
  }
}

}  // namespace
}  // namespace terse::passes
