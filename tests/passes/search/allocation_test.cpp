#include "passes/search/allocation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace terse::passes {
namespace {

using Items = std::vector<std::vector<Offer>>;

Offer total(const Items& items, const std::vector<size_t>& chosen) {
  Offer sum;
  for (size_t i = 0; i < items.size(); ++i) {
    sum.bytes += items[i][chosen[i]].bytes;
    sum.cost += items[i][chosen[i]].cost;
  }
  return sum;
}

/// The slow judge: every choice.
double least_cost(const Items& items, int64_t budget, size_t item = 0) {
  if (budget < 0) {
    return std::numeric_limits<double>::infinity();
  }
  if (item == items.size()) {
    return 0;
  }
  double least = std::numeric_limits<double>::infinity();
  for (const Offer& offer : items[item]) {
    least = std::min(least, offer.cost + least_cost(items, budget - offer.bytes, item + 1));
  }
  return least;
}

/// Offers as encodings make them: fewer bytes cost more, about four times for each bit.
Items random_items(std::mt19937& random, size_t count) {
  Items items(count);
  for (auto& offers : items) {
    const auto numbers = static_cast<double>(1000 + random() % 5000);
    const double sensitivity = std::exp2(static_cast<double>(random() % 1000) / 100);
    for (int bits = 2; bits <= 6; ++bits) {
      const double noise = 0.8 + static_cast<double>(random() % 400) / 1000;
      offers.push_back({static_cast<int64_t>(numbers * bits / 8), sensitivity * noise * std::exp2(-2 * bits)});
    }
    std::ranges::shuffle(offers, random);
  }
  return items;
}

TEST_SUITE("passes/search/allocation") {
  TEST_CASE("the bytes go where they gain most") {
    const Items items = {{{10, 8}, {20, 1}}, {{10, 8}, {20, 4}}, {{10, 8}, {20, 5}}};
    CHECK(allocate(items, 30) == std::vector<size_t>{0, 0, 0});
    CHECK(allocate(items, 39) == std::vector<size_t>{0, 0, 0});
    CHECK(allocate(items, 40) == std::vector<size_t>{1, 0, 0});
    CHECK(allocate(items, 50) == std::vector<size_t>{1, 1, 0});
    CHECK(allocate(items, 1000) == std::vector<size_t>{1, 1, 1});
  }

  TEST_CASE("nothing is found below the smallest offers") {
    const Items items = {{{10, 8}, {20, 1}}, {{30, 2}, {12, 4}, {12, 3}}};
    CHECK(smallest_offers(items) == std::vector<size_t>{0, 2});
    CHECK(allocate(items, 22) == std::vector<size_t>{0, 2});
    CHECK(!allocate(items, 21));
    CHECK(allocate(Items{}, 0) == std::vector<size_t>{});
  }

  TEST_CASE("offers that are larger and no better are not taken") {
    const Items items = {{{10, 1}, {20, 1}, {30, 2}}};
    CHECK(allocate(items, 100) == std::vector<size_t>{0});
  }

  TEST_CASE("what steps along hulls leave over is used") {
    // The large item's step does not fit; two small ones below the hull do.
    const Items items = {{{0, 100}, {100, 0}}, {{0, 10}, {8, 9}, {60, 0}}, {{0, 10}, {8, 9}, {60, 0}}};
    const auto chosen = allocate(items, 16);
    REQUIRE(chosen);
    CHECK(total(items, *chosen).cost == doctest::Approx(118));
  }

  TEST_CASE("costs are within a percent of the least possible") {
    std::mt19937 random(7);
    double found = 0, least = 0;
    for (int i = 0; i < 60; ++i) {
      const Items items = random_items(random, 7);
      const int64_t low = total(items, smallest_offers(items)).bytes;
      const int64_t budget = low + static_cast<int64_t>(random() % static_cast<unsigned>(low));
      const auto chosen = allocate(items, budget);
      REQUIRE(chosen);
      const Offer sum = total(items, *chosen);
      CHECK(sum.bytes <= budget);
      const double best = least_cost(items, budget);
      CHECK(sum.cost <= 1.2 * best + 1e-9);
      found += sum.cost / best;
      least += 1;
    }
    CHECK(found / least < 1.01);
  }

  TEST_CASE("thousands of items are no matter") {
    std::mt19937 random(11);
    const Items items = random_items(random, 3000);
    const int64_t low = total(items, smallest_offers(items)).bytes;
    const auto chosen = allocate(items, low * 3 / 2);
    REQUIRE(chosen);
    const int64_t bytes = total(items, *chosen).bytes;
    CHECK(bytes <= low * 3 / 2);
    CHECK(bytes > low * 3 / 2 - 10);
  }
}

}  // namespace
}  // namespace terse::passes
