#include "calibration/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace terse::calibration {
namespace {

TEST_SUITE("calibration/parallel") {
  TEST_CASE("every index is visited once") {
    std::vector<std::atomic<int>> visits(1000);
    parallel_for(1000, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; });
    for (const auto& count : visits) {
      CHECK(count == 1);
    }
  }

  TEST_CASE("ranges are cut by the grain alone") {
    std::vector<int64_t> ends(4);
    parallel_ranges(10, 3, [&](int64_t begin, int64_t end) { ends[static_cast<size_t>(begin / 3)] = end; });
    CHECK(ends == std::vector<int64_t>{3, 6, 9, 10});
    parallel_ranges(0, 3, [&](int64_t, int64_t) { FAIL("called"); });
  }

  TEST_CASE("an exception comes out of the loop") {
    CHECK_THROWS_AS(parallel_for(8,
                                 [](int64_t i) {
                                   if (i == 5) {
                                     throw std::runtime_error("five");
                                   }
                                 }),
                    std::runtime_error);
  }

  TEST_CASE("two pieces of work with loops of their own are both done") {
    for (const int64_t threads : {1, 3}) {
      const ThreadLimit limit(threads);
      std::vector<int64_t> first(100), second(100);
      run_both([&] { parallel_for(100, [&](int64_t i) { first[static_cast<size_t>(i)] = i; }); },
               [&] { parallel_for(100, [&](int64_t i) { second[static_cast<size_t>(i)] = i; }); });
      CHECK(first[99] == 99);
      CHECK(second == first);
    }
    CHECK_THROWS_AS(run_both([] {}, [] { throw std::runtime_error("second"); }), std::runtime_error);
  }

  TEST_CASE("a limit holds while it lives") {
    const ThreadLimit limit(1);
    CHECK(thread_count() == 1);
  }
}

}  // namespace
}  // namespace terse::calibration
