#include "formats/architectures/rotary.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse::architectures {

TEST_SUITE("formats/architectures/rotary") {
  TEST_CASE("frequencies fall from 1 by powers of theta") {
    const auto frequencies = rotary_traits({.theta = 10000}, 8).frequencies;
    CHECK(frequencies == std::vector<float>{1, 0.1F, 0.01F, 0.001F});
  }

  TEST_CASE("only a share of a head may be turned") {
    CHECK(rotary_traits({.theta = 100, .rotated_share = 0.5}, 8).frequencies == std::vector<float>{1, 0.1F});
  }

  TEST_CASE("linear scaling divides all frequencies") {
    const auto frequencies = rotary_traits({.type = "linear", .theta = 100, .factor = 4}, 4).frequencies;
    CHECK(frequencies == std::vector<float>{0.25F, 0.025F});
  }

  TEST_CASE("Llama 3's scaling equals transformers'") {
    // ROPE_INIT_FUNCTIONS["llama3"] of transformers with the same configuration: theta 5e5, factor 8, 1 and 4 of 16.
    const RopeConfig rope = {.type = "llama3",
                             .theta = 500000,
                             .factor = 8,
                             .low_frequency_factor = 1,
                             .high_frequency_factor = 4,
                             .original_positions = 16};
    const float expected[] = {0.576056361F,    0.0242403448F,   0.00470075384F,  0.000911583134F,
                              0.000176776681F, 3.42810235e-05F, 6.64786967e-06F, 1.28917316e-06F};
    const auto frequencies = rotary_traits(rope, 16).frequencies;
    REQUIRE(frequencies.size() == std::size(expected));
    for (size_t i = 0; i < frequencies.size(); ++i) {
      CAPTURE(i);
      CHECK(frequencies[i] == doctest::Approx(expected[i]).epsilon(1e-6));
    }
  }

  TEST_CASE("a head that cannot be turned in pairs is an error") {
    CHECK_THROWS_WITH_AS(rotary_traits({.rotated_share = 0.75}, 4),
                         "rotary positions turn 3 of a head's 4 dimensions, expected an even number", Error);
    CHECK_THROWS_AS(rotary_traits({.rotated_share = 0.1}, 8), Error);
  }
}

}  // namespace terse::architectures
