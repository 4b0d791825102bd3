#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace terse::calibration {

/// Ids by text: open addressing, the texts side by side. Built once, then read by any number of threads.
class TokenTable {
 public:
  static constexpr int32_t kAbsent = -1;

  explicit TokenTable(size_t most);
  /// A text that is there already gets the new id. An empty text is left out.
  void insert(std::string_view text, int32_t id);
  /// kAbsent if it is not there.
  int32_t find(std::string_view text) const;

 private:
  struct Slot {
    uint32_t offset = 0, length = 0, hash = 0;
    int32_t id = kAbsent;
  };
  size_t slot_of(std::string_view text, uint32_t hash) const;
  std::vector<Slot> slots_;
  std::string texts_;
};

/// Which two neighbours merge, how early, and into what. As TokenTable.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank = UINT32_MAX;
    int32_t id = TokenTable::kAbsent;  ///< of the result; kAbsent: the two do not merge
  };

  explicit MergeTable(size_t most);
  /// Of a pair that comes twice the later one counts.
  void insert(int32_t left, int32_t right, Merge merge);
  Merge find(int32_t left, int32_t right) const;

 private:
  struct Slot {
    uint64_t key = UINT64_MAX;
    Merge merge;
  };
  size_t slot_of(uint64_t key) const;
  std::vector<Slot> slots_;
};

}  // namespace terse::calibration
