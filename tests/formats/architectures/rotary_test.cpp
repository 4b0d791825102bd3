#include "formats/architectures/rotary.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse::architectures {
namespace {

void check_close(const std::vector<float>& found, const std::vector<float>& expected) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

}  // namespace

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
    const std::vector<float> expected = {0.576056361F,    0.0242403448F,   0.00470075384F,  0.000911583134F,
                                         0.000176776681F, 3.42810235e-05F, 6.64786967e-06F, 1.28917316e-06F};
    check_close(rotary_traits(rope, 16).frequencies, expected);
  }

  TEST_CASE("YaRN's scaling equals transformers'") {
    // ROPE_INIT_FUNCTIONS["yarn"] of transformers with the same configurations.
    RopeConfig rope = {.type = "yarn", .theta = 10000, .factor = 4, .original_positions = 256};
    const std::vector<float> whole = {1.0F,    0.25693506F,    0.0625F,  0.013834965F,
                                      0.0025F, 0.00079056947F, 0.00025F, 7.9056947e-05F};
    const std::vector<float> exact = {1.0F,    0.31622776F,    0.0756644F, 0.010796109F,
                                      0.0025F, 0.00079056947F, 0.00025F,   7.9056947e-05F};
    check_close(rotary_traits(rope, 16).frequencies, whole);
    rope.fast_rotations = 8;
    rope.is_range_whole = false;
    check_close(rotary_traits(rope, 16).frequencies, exact);
  }

  TEST_CASE("LongRoPE has frequencies for short and for long sequences") {
    RopeConfig rope = {.type = "longrope", .where = "rope_scaling", .theta = 100, .original_positions = 8};
    rope.attention_factor = 1.5;
    rope.short_factors = {1, 2};
    rope.long_factors = {4, 8};
    const RotaryTraits traits = rotary_traits(rope, 4);
    CHECK(traits.scale == 1.5F);
    CHECK(traits.short_tokens == 8);
    CHECK(traits.frequencies == std::vector<float>{1, 0.05F});
    CHECK(traits.long_frequencies == std::vector<float>{0.25F, 0.0125F});
    rope.long_factors = {4};
    CHECK_THROWS_WITH_AS(rotary_traits(rope, 4), "rope_scaling: found 1 factors of short or long sequences, expected 2",
                         Error);
  }

  TEST_CASE("a head that cannot be turned in pairs is an error") {
    CHECK_THROWS_WITH_AS(rotary_traits({.rotated_share = 0.75}, 4),
                         "rotary positions turn 3 of a head's 4 dimensions, expected an even number", Error);
    CHECK_THROWS_AS(rotary_traits({.rotated_share = 0.1}, 8), Error);
  }
}

}  // namespace terse::architectures
