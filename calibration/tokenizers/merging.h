#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace terse::calibration {

/// A part of a piece while neighbours merge.
struct Symbol {
  int32_t id = 0;
  uint32_t begin = 0, end = 0;  ///< bytes of the piece
};

/// Merges neighbours, the pair of the least rank first and of equal ranks the left one, until none merges.
/// `find(left, right)` gives {rank, id}; id < 0: the two do not merge. Short pieces are scanned, which is quadratic and
/// needs no memory; long ones use a heap.
template <typename Find>
class Merger {
 public:
  explicit Merger(Find find) : find_(std::move(find)) {}

  void run(std::vector<Symbol>& symbols) {
    if (symbols.size() <= kScanned) {
      scan(symbols);
    } else {
      sift(symbols);
    }
  }

 private:
  using Merge = decltype(std::declval<Find>()(Symbol{}, Symbol{}));
  static constexpr size_t kScanned = 24;
  static constexpr uint32_t kNone = UINT32_MAX;

  void scan(std::vector<Symbol>& symbols) {
    merges_.clear();
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      merges_.push_back(find_(symbols[i], symbols[i + 1]));
    }
    while (true) {
      size_t best = merges_.size();
      for (size_t i = 0; i < merges_.size(); ++i) {
        if (merges_[i].id >= 0 && (best == merges_.size() || merges_[i].rank < merges_[best].rank)) {
          best = i;
        }
      }
      if (best == merges_.size()) {
        return;
      }
      symbols[best] = {merges_[best].id, symbols[best].begin, symbols[best + 1].end};
      const auto at = static_cast<std::ptrdiff_t>(best);
      symbols.erase(symbols.begin() + at + 1);
      merges_.erase(merges_.begin() + at);
      if (best < merges_.size()) {
        merges_[best] = find_(symbols[best], symbols[best + 1]);
      }
      if (best > 0) {
        merges_[best - 1] = find_(symbols[best - 1], symbols[best]);
      }
    }
  }

  struct Candidate {
    Merge merge;
    uint32_t left = 0;
  };
  struct Link {
    uint32_t previous = kNone, next = kNone;
    bool gone = false;
  };

  void sift(std::vector<Symbol>& symbols) {
    links_.assign(symbols.size(), {});
    heap_.clear();
    for (uint32_t i = 0; i < symbols.size(); ++i) {
      links_[i].previous = i == 0 ? kNone : i - 1;
      links_[i].next = i + 1 < symbols.size() ? i + 1 : kNone;
    }
    for (uint32_t i = 0; i + 1 < symbols.size(); ++i) {
      consider(symbols, i);
    }
    while (!heap_.empty()) {
      std::ranges::pop_heap(heap_, later);
      const Candidate top = heap_.back();
      heap_.pop_back();
      if (is_current(symbols, top)) {
        merge(symbols, top);
      }
    }
    size_t kept = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
      if (!links_[i].gone) {
        symbols[kept++] = symbols[i];
      }
    }
    symbols.resize(kept);
  }

  static bool later(const Candidate& a, const Candidate& b) {
    return b.merge.rank < a.merge.rank || (b.merge.rank == a.merge.rank && b.left < a.left);
  }

  void consider(const std::vector<Symbol>& symbols, uint32_t left) {
    const uint32_t right = links_[left].next;
    if (right == kNone) {
      return;
    }
    const Merge merge = find_(symbols[left], symbols[right]);
    if (merge.id >= 0) {
      heap_.push_back({merge, left});
      std::ranges::push_heap(heap_, later);
    }
  }

  /// The pair may have merged with others since it was considered.
  bool is_current(const std::vector<Symbol>& symbols, const Candidate& candidate) {
    const Link& link = links_[candidate.left];
    return !link.gone && link.next != kNone &&
           find_(symbols[candidate.left], symbols[link.next]).id == candidate.merge.id;
  }

  void merge(std::vector<Symbol>& symbols, const Candidate& candidate) {
    const uint32_t left = candidate.left, right = links_[left].next;
    symbols[left] = {candidate.merge.id, symbols[left].begin, symbols[right].end};
    links_[right].gone = true;
    links_[left].next = links_[right].next;
    if (links_[left].next != kNone) {
      links_[links_[left].next].previous = left;
    }
    if (links_[left].previous != kNone) {
      consider(symbols, links_[left].previous);
    }
    consider(symbols, left);
  }

  Find find_;
  std::vector<Merge> merges_;
  std::vector<Link> links_;
  std::vector<Candidate> heap_;
};

}  // namespace terse::calibration
