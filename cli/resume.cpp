#include "cli/resume.h"

#include "calibration/isa.h"
#include "formats/checksum.h"
#include "formats/error.h"
#include "formats/fingerprint.h"

namespace terse::cli {
namespace {

std::string hash_of(const std::vector<calibration::Sample>& samples) {
  Fingerprint print;
  for (const calibration::Sample& sample : samples) {
    print.add(std::ssize(sample));
    for (const auto& [name, tensor] : sample) {
      print.add(name);
      print.add(tensor);
    }
  }
  return "#" + to_hex(print.value());
}

std::vector<passes::RunFact> run_facts(const RunInputs& inputs) {
  return {{.name = "version", .value = TERSE_VERSION},
          {.name = "instruction set", .value = calibration::instruction_set()},
          {.name = "pipeline", .value = inputs.pipeline},
          {.name = "seed", .value = std::to_string(inputs.seed)},
          {.name = "model", .value = "#" + to_hex(fingerprint(inputs.model))},
          {.name = "set of samples", .value = hash_of(inputs.samples)}};
}

}  // namespace

std::filesystem::path journal_path(const std::filesystem::path& out) {
  std::filesystem::path path = out;
  path += ".resume";
  return path;
}

void check_journal(const OutputOptions& output, AfterKill after) {
  const std::filesystem::path path = journal_path(output.path);
  std::error_code ignored;
  if (after == AfterKill::go_on || !std::filesystem::exists(path, ignored)) {
    return;
  }
  if (!passes::is_journal(path)) {
    throw Error(Kind::usage, "{}: is in the way of what a run with --data keeps there, expected no such file",
                path.string());
  }
  if (!output.force) {
    throw Error(Kind::usage, "{}: an interrupted run has left it, --resume goes on from it, --force starts over",
                path.string());
  }
}

passes::SolvedJournal make_journal(const std::filesystem::path& path, AfterKill after, const RunInputs& inputs) {
  return after == AfterKill::go_on ? passes::SolvedJournal::resume(path, run_facts(inputs))
                                   : passes::SolvedJournal(path, run_facts(inputs));
}

Error JournalKeeper::with_hint(const Error& error) const {
  std::error_code ignored;
  const bool is_kept = journal_ != nullptr && std::filesystem::exists(journal_->path(), ignored);
  return is_kept ? Error(error.kind(), "{}; {} holds what is solved, --resume goes on from it", error.what(),
                         journal_->path().string())
                 : error;
}

}  // namespace terse::cli
