#include "calibration/probes.h"

#include <doctest/doctest.h>

#include <map>

namespace terse::calibration {
namespace {

/// Ten tokens, and seven behind two of padding.
Sample two_texts() {
  std::vector<int64_t> ids(20), mask(20, 1);
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int64_t>(100 + i);
  }
  mask[10] = mask[11] = mask[19] = 0;
  return {{"input_ids", Tensor::of<int64_t>({2, 10}, ids)}, {"attention_mask", Tensor::of<int64_t>({2, 10}, mask)}};
}

std::vector<int64_t> ids_of(const Sample& sample) { return to_int64s(sample.find("input_ids")->second); }

TEST_SUITE("calibration/probes") {
  TEST_CASE("each token between a text's first and last is masked once, a seventh at a time") {
    constexpr int64_t kMask = 4;
    std::map<std::pair<int64_t, int64_t>, int64_t> masked;
    const auto before = ids_of(two_texts());
    const auto probes = mask_tokens(two_texts(), kMask);
    CHECK(probes.size() == 7);
    for (const Probe& probe : probes) {
      const auto ids = ids_of(probe.sample);
      CHECK(static_cast<size_t>(std::ranges::count(ids, kMask)) == probe.places.size());
      for (const Place& place : probe.places) {
        const auto index = static_cast<size_t>(place.sequence * 10 + place.token);
        CHECK(ids[index] == kMask);
        CHECK(place.label == before[index]);
        ++masked[{place.sequence, place.token}];
      }
    }
    CHECK(masked.size() == 8 + 5);  // of the second text, tokens 3 to 7
    CHECK(masked.contains({1, 3}));
    CHECK_FALSE(masked.contains({1, 2}));
    CHECK_FALSE(masked.contains({1, 8}));
    CHECK(std::ranges::all_of(masked, [](const auto& entry) { return entry.second == 1; }));
  }

  TEST_CASE("a text of two tokens has none to mask") {
    const Sample sample = {{"input_ids", Tensor::of<int64_t>({1, 2}, {5, 6})}};
    CHECK(mask_tokens(sample, 4).empty());
    CHECK(replace_tokens(sample).places.empty());
  }

  TEST_CASE("a seventh of the tokens is replaced by others of the same text, and labels say which") {
    const Probe probe = replace_tokens(two_texts());
    const auto ids = ids_of(probe.sample), before = ids_of(two_texts());
    CHECK(probe.places.size() == 8 + 5);
    int64_t replaced = 0;
    for (const Place& place : probe.places) {
      const auto index = static_cast<size_t>(place.sequence * 10 + place.token);
      CHECK(place.label == (ids[index] != before[index] ? 1 : 0));
      CHECK(ids[index] / 10 == before[index] / 10);  // tokens of one text share their tens
      replaced += place.label;
    }
    CHECK(replaced == 2);
    CHECK(ids[4] == before[8]);  // four of eight away
  }

  TEST_CASE("a token that is replaced by its equal is none that was replaced") {
    const Sample sample = {{"input_ids", Tensor::of<int64_t>({1, 10}, std::vector<int64_t>(10, 7))}};
    for (const Place& place : replace_tokens(sample).places) {
      CHECK(place.label == 0);
    }
  }
}

}  // namespace
}  // namespace terse::calibration
