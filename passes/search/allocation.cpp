#include "passes/search/allocation.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace terse::passes {
namespace {

using Items = std::span<const std::vector<Offer>>;

constexpr double kNoGain = 1e-12;  // of the total cost: what rounding alone may make of nothing

/// Indices of offers that are better than any mixture of others, from the smallest on.
std::vector<size_t> lower_hull(const std::vector<Offer>& offers) {
  std::vector<size_t> order(offers.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    return offers[a].bytes != offers[b].bytes ? offers[a].bytes < offers[b].bytes : offers[a].cost < offers[b].cost;
  });
  const auto gain_rate = [&](size_t from, size_t to) {
    return (offers[from].cost - offers[to].cost) / static_cast<double>(offers[to].bytes - offers[from].bytes);
  };
  std::vector<size_t> hull;
  for (const size_t next : order) {
    if (!hull.empty() && offers[next].cost >= offers[hull.back()].cost) {
      continue;
    }
    while (hull.size() >= 2 && gain_rate(hull[hull.size() - 2], hull.back()) <= gain_rate(hull.back(), next)) {
      hull.pop_back();
    }
    hull.push_back(next);
  }
  return hull;
}

/// From one offer of an item to its next on the hull.
struct Step {
  size_t item, to;
  int64_t bytes;  ///< more
  double gain_rate;
};

std::vector<Step> hull_steps(Items items) {
  std::vector<Step> steps;
  for (size_t item = 0; item < items.size(); ++item) {
    const std::vector<Offer>& offers = items[item];
    const std::vector<size_t> hull = lower_hull(offers);
    for (size_t i = 1; i < hull.size(); ++i) {
      const Offer &from = offers[hull[i - 1]], &to = offers[hull[i]];
      const int64_t bytes = to.bytes - from.bytes;
      steps.push_back({item, hull[i], bytes, (from.cost - to.cost) / static_cast<double>(bytes)});
    }
  }
  std::ranges::stable_sort(steps, [](const Step& a, const Step& b) { return a.gain_rate > b.gain_rate; });
  return steps;
}

/// Another offer for one item.
struct Change {
  size_t item, to;
  int64_t bytes;  ///< more than now; negative: fewer
  double gain;    ///< of cost; negative: a loss
};

/// The changes that lose least among those that free at least so many bytes: the best two of different items.
class Savings {
 public:
  explicit Savings(std::vector<Change> changes) : changes_(std::move(changes)) {
    std::ranges::stable_sort(changes_, [](const Change& a, const Change& b) { return a.bytes < b.bytes; });
    std::array<size_t, 2> best = {kNone, kNone};
    for (size_t i = 0; i < changes_.size(); ++i) {
      if (best[0] == kNone || changes_[i].gain > changes_[best[0]].gain) {
        best[1] = best[0] != kNone && changes_[best[0]].item != changes_[i].item ? best[0] : best[1];
        best[0] = i;
      } else if (changes_[i].item != changes_[best[0]].item &&
                 (best[1] == kNone || changes_[i].gain > changes_[best[1]].gain)) {
        best[1] = i;
      }
      best_.push_back(best);
    }
  }

  /// Null if no other item frees as many.
  const Change* find(int64_t bytes, size_t other_than) const {
    const auto end = std::ranges::upper_bound(changes_, -bytes, {}, &Change::bytes);
    if (end == changes_.begin()) {
      return nullptr;
    }
    for (const size_t i : best_[static_cast<size_t>(end - changes_.begin() - 1)]) {
      if (i != kNone && changes_[i].item != other_than) {
        return &changes_[i];
      }
    }
    return nullptr;
  }

 private:
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  std::vector<Change> changes_;              // by bytes, the most freed first
  std::vector<std::array<size_t, 2>> best_;  // of the changes up to each
};

class Allocation {
 public:
  Allocation(Items items, int64_t budget) : items_(items), chosen_(smallest_offers(items)), slack_(budget) {
    for (size_t i = 0; i < items_.size(); ++i) {
      slack_ -= now(i).bytes;
      cost_ += now(i).cost;
    }
  }

  bool fits() const { return slack_ >= 0; }
  std::vector<size_t> chosen() && { return std::move(chosen_); }

  /// An item that could not take a step takes none behind it either: those gain less a byte.
  void climb() {
    std::vector<bool> is_stuck(items_.size());
    for (const Step& step : hull_steps(items_)) {
      is_stuck[step.item] = is_stuck[step.item] || step.bytes > slack_;
      if (!is_stuck[step.item]) {
        take(change(step.item, step.to));
      }
    }
  }

  /// The best change, or exchange of two; false if nothing gains.
  bool improve() {
    std::vector<Change> growing, shrinking;
    for (size_t item = 0; item < items_.size(); ++item) {
      for (size_t to = 0; to < items_[item].size(); ++to) {
        const Change candidate = change(item, to);
        if (candidate.gain > 0) {
          growing.push_back(candidate);
        }
        if (candidate.bytes < 0) {
          shrinking.push_back(candidate);
        }
      }
    }
    const Savings savings(std::move(shrinking));
    double best_gain = kNoGain * cost_;
    std::vector<Change> best;
    for (const Change& growth : growing) {
      const bool fits_alone = growth.bytes <= slack_;
      const Change* saving = fits_alone ? nullptr : savings.find(growth.bytes - slack_, growth.item);
      const double gain = growth.gain + (saving == nullptr ? 0 : saving->gain);
      if ((fits_alone || saving != nullptr) && gain > best_gain) {
        best_gain = gain;
        best = {growth};
        best.insert(best.end(), saving, saving + (saving == nullptr ? 0 : 1));
      }
    }
    for (const Change& taken : best) {
      take(taken);
    }
    return !best.empty();
  }

 private:
  const Offer& now(size_t item) const { return items_[item][chosen_[item]]; }

  Change change(size_t item, size_t to) const {
    const Offer& offer = items_[item][to];
    return {item, to, offer.bytes - now(item).bytes, now(item).cost - offer.cost};
  }

  void take(const Change& change) {
    chosen_[change.item] = change.to;
    slack_ -= change.bytes;
    cost_ -= change.gain;
  }

  Items items_;
  std::vector<size_t> chosen_;
  int64_t slack_;
  double cost_ = 0;
};

}  // namespace

std::vector<size_t> smallest_offers(std::span<const std::vector<Offer>> items) {
  std::vector<size_t> chosen;
  for (const std::vector<Offer>& offers : items) {
    const auto less = [](const Offer& a, const Offer& b) {
      return a.bytes != b.bytes ? a.bytes < b.bytes : a.cost < b.cost;
    };
    chosen.push_back(static_cast<size_t>(std::ranges::min_element(offers, less) - offers.begin()));
  }
  return chosen;
}

std::optional<std::vector<size_t>> allocate(std::span<const std::vector<Offer>> items, int64_t budget) {
  constexpr int kMostChanges = 10'000;
  Allocation allocation(items, budget);
  if (!allocation.fits()) {
    return std::nullopt;
  }
  allocation.climb();
  for (int i = 0; i < kMostChanges && allocation.improve(); ++i) {
  }
  return std::move(allocation).chosen();
}

}  // namespace terse::passes
