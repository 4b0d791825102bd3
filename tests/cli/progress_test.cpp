#include "cli/progress.h"

#include <doctest/doctest.h>

namespace terse::cli {
namespace {

TEST_SUITE("cli/progress") {
  TEST_CASE("the line shows what is done and, once it can be told, the time left") {
    CHECK(progress_line("write", 0, 0) == "write  [------------------------]   0 %");
    CHECK(progress_line("write", 0.01, 9) == "write  [------------------------]   1 %");
    CHECK(progress_line("write", 0.25, 10) == "write  [######------------------]  25 %  30.0 s left");
    CHECK(progress_line("write", 1, 10) == "write  [########################] 100 %  0.0 s left");
    CHECK(progress_line("write", 7, 10) == progress_line("write", 1, 10));
  }
}

}  // namespace
}  // namespace terse::cli
