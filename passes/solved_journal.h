#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/error.h"
#include "formats/record_file.h"
#include "passes/projection.h"

namespace terse::passes {

/// One of the things that a run's bytes follow from: "seed", "0". A value that is nothing to show begins with '#'.
struct RunFact {
  std::string name, value;
  friend bool operator==(const RunFact&, const RunFact&) = default;
};

/// A weight as it was solved, and what the report says of it.
struct SolvedEntry {
  Projected projected;
  std::string note;
};

/// Where a run keeps the weights that it has solved (formats/record_file.h), so that another one can go on after it was
/// killed: walking the samples through the same weights, but solving only those that are left. The first record holds
/// the run's facts, each other one a weight. It is also where large encodings live from then on: their tensors become
/// views of the file, and need no memory.
/// A file that cannot be written (a full disk) ends the keeping, not the run: see `failure`. Not for several threads.
class SolvedJournal {
 public:
  /// For a run from the beginning; the file, which replaces another one, is made for the first weight.
  SolvedJournal(std::filesystem::path path, std::vector<RunFact> facts);

  /// Of an earlier run; if there is no file, as for one from the beginning. Errors: io; input if the file is no
  /// journal, or was begun by a run of other facts, naming those that differ.
  static SolvedJournal resume(std::filesystem::path path, std::vector<RunFact> facts);

  /// What the earlier run made of a weight, by its name in the graph. `stage` counts the groups of projections that are
  /// solved together. Error input if that is no encoding of `shape`.
  std::optional<SolvedEntry> find(int64_t stage, std::string_view weight, const Shape& shape) const;
  bool has(int64_t stage, std::string_view weight) const;

  /// Keeps a weight. A large encoding of `entry` lies in the file thereafter.
  void add(int64_t stage, std::string_view weight, SolvedEntry& entry);

  int64_t count() const { return static_cast<int64_t>(entries_.size()); }  ///< of weights known from the earlier run
  const std::optional<Error>& failure() const { return failure_; }
  const std::filesystem::path& path() const { return path_; }

  /// The run is complete, or can never be. Encodings in the file stay readable.
  void remove() noexcept;

 private:
  void read(const std::vector<Record>& records);

  std::filesystem::path path_;
  std::vector<RunFact> facts_;
  std::optional<RecordFile> file_;
  std::map<std::pair<int64_t, std::string>, SolvedEntry> entries_;
  std::optional<Error> failure_;
};

/// True if a file at `path` begins as a journal does.
bool is_journal(const std::filesystem::path& path);

}  // namespace terse::passes
