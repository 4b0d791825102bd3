#include "calibration/tokenizers/merging.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

namespace terse::calibration {
namespace {

struct Merge {
  int rank = 0;
  int32_t id = -1;
};

/// The slow, obvious judge: looks through all pairs for each merge.
std::vector<int32_t> merged_slowly(std::vector<int32_t> ids,
                                   const std::map<std::pair<int32_t, int32_t>, Merge>& merges) {
  while (true) {
    size_t best = ids.size();
    int best_rank = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = merges.find({ids[i], ids[i + 1]});
      if (found != merges.end() && (best == ids.size() || found->second.rank < best_rank)) {
        best = i;
        best_rank = found->second.rank;
      }
    }
    if (best == ids.size()) {
      return ids;
    }
    ids[best] = merges.at({ids[best], ids[best + 1]}).id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST_SUITE("calibration/tokenizers/merging") {
  TEST_CASE("pieces of every length merge as if all pairs were looked at each time") {
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
      std::map<std::pair<int32_t, int32_t>, Merge> merges;
      for (int32_t id = 4; id < 40; ++id) {  // each made of two earlier ones
        const auto part = [&] { return static_cast<int32_t>(random() % static_cast<uint32_t>(id)); };
        const auto left = part(), right = part();
        merges.try_emplace({left, right}, Merge{.rank = id, .id = id});
      }
      std::vector<int32_t> ids(random() % 80);
      std::vector<Symbol> symbols;
      for (size_t i = 0; i < ids.size(); ++i) {
        ids[i] = static_cast<int32_t>(random() % 4);
        symbols.push_back({ids[i], static_cast<uint32_t>(i), static_cast<uint32_t>(i + 1)});
      }
      Merger merger([&](const Symbol& left, const Symbol& right) {
        const auto found = merges.find({left.id, right.id});
        return found == merges.end() ? Merge{} : found->second;
      });
      merger.run(symbols);
      std::vector<int32_t> found;
      uint32_t end = 0;
      for (const Symbol& symbol : symbols) {
        CHECK(symbol.begin == end);
        end = symbol.end;
        found.push_back(symbol.id);
      }
      CHECK(end == ids.size());
      CHECK(found == merged_slowly(ids, merges));
    }
  }
}

}  // namespace
}  // namespace terse::calibration
