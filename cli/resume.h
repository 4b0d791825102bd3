#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calibration/executor.h"
#include "cli/output_file.h"
#include "passes/solved_journal.h"

namespace terse::cli {

/// What a run does with what a killed one has left: `--resume` or not.
enum class AfterKill { go_on, start_over };

/// Where a run with calibration data keeps the weights that it has solved until OUT is complete: beside it.
std::filesystem::path journal_path(const std::filesystem::path& out);

/// Before any work. Error usage if what an earlier run has left would be lost, or is no journal.
void check_journal(const OutputOptions& output, AfterKill after);

/// What the bytes of a run follow from, beside the version and the instruction set.
struct RunInputs {
  const Model& model;
  const std::vector<calibration::Sample>& samples;
  std::string pipeline;  ///< canonical text
  int64_t seed = 0;
};

/// Errors: those of SolvedJournal::resume. Cost: reads all weights and samples once.
passes::SolvedJournal make_journal(const std::filesystem::path& path, AfterKill after, const RunInputs& inputs);

/// Removes the journal of a run that has ended: by writing OUT, or by an error that would come again.
class JournalKeeper {
 public:
  explicit JournalKeeper(passes::SolvedJournal* journal) : journal_(journal) {}

  /// Runs `work`. An error that would come again removes the journal; one of the system leaves it and says so.
  template <typename Work>
  decltype(auto) run(Work&& work) {
    try {
      return std::forward<Work>(work)();
    } catch (const Error& error) {
      if (error.kind() != Kind::io) {
        remove();
        throw;
      }
      throw with_hint(error);
    }
  }

  /// The same error, and where solved weights are.
  Error with_hint(const Error& error) const;

  void remove() noexcept {
    if (journal_ != nullptr) {
      journal_->remove();
    }
  }

 private:
  passes::SolvedJournal* journal_;  ///< null: none
};

}  // namespace terse::cli
