#include "cli/table.h"

#include <doctest/doctest.h>

namespace terse::cli {
namespace {

TEST_SUITE("cli/table") {
  TEST_CASE("columns are as wide as their widest cell, numbers to the right, no space at the end of a line") {
    Table table({"name", ">bytes", "note"});
    table.add({"a long name", "7", ""});
    table.add({"b", "1,234,567", "x"});
    CHECK(table.text() ==
          "name             bytes  note\n"
          "a long name          7\n"
          "b            1,234,567  x\n");
  }

  TEST_CASE("Markdown says the alignment") {
    Table table({"name", ">bytes"});
    CHECK(table.empty());
    table.add({"a", "7"});
    CHECK_FALSE(table.empty());
    CHECK(table.markdown() == "| name | bytes |\n| --- | ---: |\n| a | 7 |\n");
  }
}

}  // namespace
}  // namespace terse::cli
