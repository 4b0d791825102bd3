#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace terse::passes {

/// One way to store something.
struct Offer {
  int64_t bytes = 0;
  double cost = 0;  ///< 0 or more
};

/// Takes one offer of each item, so that their bytes are at most `budget` and the sum of their costs is small: steps
/// along the items' lower convex hulls in the order of what a byte gains (Everett 1963, generalized Lagrange
/// multipliers: optimal but for the last steps), then single changes and exchanges between two items while one gains.
/// Gives the index of each item's offer; nothing if even the smallest offers need more.
/// Results: depend on the arguments alone. Cost: n log n of all offers, and as much for each change at the end.
std::optional<std::vector<size_t>> allocate(std::span<const std::vector<Offer>> items, int64_t budget);

/// The smallest offer of each item, of equal ones the cheapest.
std::vector<size_t> smallest_offers(std::span<const std::vector<Offer>> items);

}  // namespace terse::passes
