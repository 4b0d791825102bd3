#include "passes/constraints/block_fit.h"

#include <doctest/doctest.h>
#include <hwy/targets.h>

#include <bit>
#include <cmath>

#include "formats/blocks/block_type.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

std::vector<LaneColumn> lanes_of(const std::vector<float>& numbers) {
  std::vector<LaneColumn> columns(numbers.size() / kGridLanes);
  for (size_t i = 0; i < numbers.size(); ++i) {
    columns[i / kGridLanes].values[i % kGridLanes] = numbers[i];
  }
  return columns;
}

bool same_bits(const BlockFits::OneEach& a, const BlockFits::OneEach& b) {
  return std::equal(a.begin(), a.end(), b.begin(),
                    [](float x, float y) { return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y); });
}

TEST_SUITE("passes/constraints/block_fit") {
  TEST_CASE("every instruction set finds the same parts, to the bit") {
    for (const BlockTypeRow& type : block_types()) {
      if (!type.can_encode()) {
        continue;
      }
      CAPTURE(type.name);
      std::vector<float> numbers = normal_numbers(type.elements * kGridLanes);
      std::vector<float> importance(static_cast<size_t>(type.elements));
      for (size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = std::ldexp(numbers[i], static_cast<int>(i % kGridLanes) - 8);  // every lane of its own size
      }
      for (size_t i = 0; i < importance.size(); ++i) {
        importance[i] = std::ldexp(1.0F, -static_cast<int>(i * 7 % 5));
      }
      for (const bool weighted : {false, true}) {
        const std::span<const float> weights = weighted ? std::span<const float>(importance) : std::span<const float>();
        hwy::SetSupportedTargetsForTest(0);
        const BlockFits expected = fit_blocks(*type.codec, lanes_of(numbers), weights);
        for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
          hwy::SetSupportedTargetsForTest(target);
          CAPTURE(hwy::TargetName(target));
          const BlockFits fits = fit_blocks(*type.codec, lanes_of(numbers), weights);
          CHECK(same_bits(fits.scale, expected.scale));
          CHECK(same_bits(fits.min, expected.min));
          for (size_t j = 0; j < static_cast<size_t>(type.codec->sub_blocks()); ++j) {
            CHECK(same_bits(fits.scales[j], expected.scales[j]));
            CHECK(same_bits(fits.mins[j], expected.mins[j]));
          }
        }
      }
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

}  // namespace
}  // namespace terse::passes
