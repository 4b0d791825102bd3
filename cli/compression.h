#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "calibration/evaluate.h"
#include "calibration/smoke.h"
#include "cli/encoding_search.h"
#include "cli/evaluation.h"
#include "cli/facts.h"
#include "cli/phases.h"
#include "cli/report.h"
#include "formats/error.h"
#include "passes/pipeline.h"

namespace terse::cli {

/// What --stats said of weights' inputs.
struct StatisticsUsed {
  std::vector<std::string> files;
  int64_t weights = 0;        ///< of which something is known
  int64_t with_products = 0;  ///< of which X^T X is
};

/// What a run of `compress` did, for its report and its closing table.
struct Compression {
  std::string pipeline;  ///< canonical text
  int64_t seed = 0;
  ModelFacts before, after;  ///< `after`: the written file as read back
  std::vector<Layout::File> files;
  std::optional<passes::FoundEncodings> found;  ///< by --max-size
  int64_t resumed = 0;                          ///< weights that an earlier, killed run had solved
  std::string journal_failure;                  ///< why solved weights could not be kept for a later run; else empty
  std::optional<StatisticsUsed> statistics;     ///< in place of calibration data
  passes::PipelineReport passes;
  calibration::SmokeCheck smoke;
  std::optional<calibration::Evaluation> evaluation;
  std::optional<Error> failure;  ///< of the evaluation: reported after the table, so that the rest is not lost
};

Json make_report(const Compression& compression, const EvaluationOptions& evaluation, const Phases& phases);

/// In a few words.
std::string smoke_text(const calibration::SmokeCheck& smoke);

/// The closing table.
std::string to_text(const Compression& compression, const Phases& phases);

/// What --dry-run prints: a line a weight, and the files to the byte.
std::string plan_text(const ModelFacts& before, const passes::PipelineReport& passes, const Layout& layout,
                      const std::optional<passes::FoundEncodings>& found);

enum class NoteDetail { reasons, weights };

/// Why passes left weights alone that they had selected, or made something else of them than was asked for: a line a
/// reason with the number of weights, or a line a weight; empty if there is nothing to say.
std::string notes_text(const passes::PipelineReport& passes, NoteDetail detail);

}  // namespace terse::cli
