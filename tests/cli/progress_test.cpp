#include "cli/progress.h"

#include <doctest/doctest.h>

namespace terse::cli {
namespace {

TEST_SUITE("cli/progress") {
  TEST_CASE("the line shows what is done and, once it can be told, the time left") {
    CHECK(progress_line("write", 0, {}) == "write  [------------------------]   0 %");
    CHECK(progress_line("write", 0.25, 30) == "write  [######------------------]  25 %  30.0 s left");
    CHECK(progress_line("write", 1, 0) == "write  [########################] 100 %  0.0 s left");
  }

  TEST_CASE("the time left follows from all that was done, whatever it is called") {
    Forecast forecast;
    CHECK_FALSE(forecast.seconds_left(0, 0));
    CHECK_FALSE(forecast.seconds_left(0, 100));
    CHECK_FALSE(forecast.seconds_left(0.01, 109));
    CHECK(forecast.seconds_left(0.25, 110) == doctest::Approx(30));
    CHECK(forecast.seconds_left(0.5, 150) == doctest::Approx(50));
    CHECK(forecast.seconds_left(1, 160) == doctest::Approx(0));
  }

  TEST_CASE("work that begins in the middle is judged by its own pace") {
    Forecast forecast;
    CHECK_FALSE(forecast.seconds_left(0.5, 0));
    CHECK(forecast.seconds_left(0.75, 5) == doctest::Approx(5));
    CHECK_FALSE(forecast.seconds_left(0.25, 6));
    CHECK(forecast.seconds_left(0.5, 26) == doctest::Approx(40));
  }
}

}  // namespace
}  // namespace terse::cli
