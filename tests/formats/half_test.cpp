#include "formats/half.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace terse {
namespace {

/// The slow, obvious judge: the value that the bits spell.
float spelled(Half h) {
  const int exponent = (h.bits >> 10) & 31;
  const int mantissa = h.bits & 1023;
  const float sign = (h.bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) {
    return mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
  }
  if (exponent == 0) {
    return sign * std::ldexp(static_cast<float>(mantissa), -24);
  }
  return sign * std::ldexp(1.0F + static_cast<float>(mantissa) / 1024, exponent - 15);
}

TEST_SUITE("formats/half") {
  TEST_CASE("every half converts to the float it spells and back") {
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      const Half half{static_cast<uint16_t>(bits)};
      CAPTURE(bits);
      const float expected = spelled(half);
      if (std::isnan(expected)) {
        REQUIRE(std::isnan(to_float(half)));
        REQUIRE(std::isnan(to_float(to_half(to_float(half)))));
      } else {
        REQUIRE(std::bit_cast<uint32_t>(to_float(half)) == std::bit_cast<uint32_t>(expected));
        REQUIRE(to_half(expected) == half);
      }
    }
  }

  TEST_CASE("floats round to the nearest half, ties to even") {
    struct Row {
      float in;
      uint16_t expected;
    };
    for (const Row& row :
         {Row{1.0F, 0x3c00}, Row{65504.0F, 0x7bff}, Row{65519.99F, 0x7bff}, Row{65520.0F, 0x7c00},
          Row{0x1p-25F, 0x0000}, Row{0x1.8p-25F, 0x0001}, Row{0x1p-24F, 0x0001}, Row{0x1.8p-24F, 0x0002},
          Row{2049.0F, 0x6800}, Row{2051.0F, 0x6802}, Row{-0.0F, 0x8000}, Row{-1e30F, 0xfc00}}) {
      CAPTURE(row.in);
      CHECK(to_half(row.in).bits == row.expected);
    }
  }

  TEST_CASE("random floats land on the nearest of the two neighbouring halves") {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> exponent(-26, 17);
    for (int i = 0; i < 20000; ++i) {
      const float x = std::exp2(exponent(random));
      const Half half = to_half(x);
      if (half.bits >= 0x7bff || half.bits == 0) {
        continue;
      }
      const float error = std::abs(to_float(half) - x);
      CHECK(error <= std::abs(to_float(Half{static_cast<uint16_t>(half.bits + 1)}) - x));
      CHECK(error <= std::abs(to_float(Half{static_cast<uint16_t>(half.bits - 1)}) - x));
    }
  }

  TEST_CASE("bfloat16 keeps the upper half of a float, rounded to even, and NaN stays NaN") {
    CHECK(to_bfloat16(1.0F).bits == 0x3f80);
    CHECK(to_bfloat16(std::bit_cast<float>(0x3f808000U)).bits == 0x3f80);
    CHECK(to_bfloat16(std::bit_cast<float>(0x3f818000U)).bits == 0x3f82);
    CHECK(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7f800001U)))));
    CHECK(to_float(BFloat16{0xc040}) == -3.0F);
  }

  TEST_CASE("runs convert as single numbers do") {
    std::vector<Half> halves(1000);
    for (size_t i = 0; i < halves.size(); ++i) {
      halves[i].bits = static_cast<uint16_t>(i * 31);
    }
    std::vector<float> floats(halves.size());
    to_float(halves, floats);
    std::vector<Half> back(halves.size());
    to_half(floats, back);
    CHECK(back == halves);
  }

  TEST_CASE("runs of any length widen every half and every bfloat16 to the same bits as one by one") {
    constexpr size_t kCount = 65536;
    std::vector<Half> halves(kCount);
    std::vector<BFloat16> bfloats(kCount);
    for (size_t i = 0; i < kCount; ++i) {
      halves[i].bits = bfloats[i].bits = static_cast<uint16_t>(i);
    }
    for (const size_t first : {size_t{0}, size_t{1}, size_t{65529}}) {
      CAPTURE(first);
      std::vector<float> of_halves(kCount - first), of_bfloats(kCount - first);
      to_float(std::span<const Half>(halves).subspan(first), of_halves);
      to_float(std::span<const BFloat16>(bfloats).subspan(first), of_bfloats);
      for (size_t i = first; i < kCount; ++i) {
        CAPTURE(i);
        REQUIRE(std::bit_cast<uint32_t>(of_halves[i - first]) == std::bit_cast<uint32_t>(to_float(halves[i])));
        REQUIRE(std::bit_cast<uint32_t>(of_bfloats[i - first]) == std::bit_cast<uint32_t>(to_float(bfloats[i])));
      }
    }
  }
}

}  // namespace
}  // namespace terse
