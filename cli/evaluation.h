#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "calibration/evaluate.h"
#include "cli/report.h"

namespace terse::cli {

/// What commands that evaluate accept of data.
struct EvaluationOptions {
  std::vector<std::string> files;
  std::optional<int64_t> samples, seq_len;
  std::string score = "all";
  std::string labels;  ///< a file of classes, a line a sample; empty: none but those in the data

  calibration::DataOptions data_options(const std::filesystem::path& tokenizer) const {
    return {.samples = samples, .seq_len = seq_len, .tokenizer = tokenizer, .labels = labels};
  }
  calibration::Score score_rule() const {
    return score == "all" ? calibration::Score::all : calibration::Score::second_half;
  }
};

/// The "evaluation" of a report: figures that are not finite become null.
Json to_json(const calibration::Evaluation& evaluation, const EvaluationOptions& options);

/// A line a figure.
std::string to_text(const calibration::Evaluation& evaluation);

}  // namespace terse::cli
