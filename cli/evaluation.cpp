#include "cli/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/figures.h"

namespace terse::cli {
namespace {

using calibration::Evaluation;

struct MemberRow {
  std::string_view figure;
  std::optional<double> Evaluation::*member;
};

constexpr std::array kMembers = {
    MemberRow{"perplexity", &Evaluation::perplexity},
    MemberRow{"reference_perplexity", &Evaluation::reference_perplexity},
    MemberRow{"pseudo_perplexity", &Evaluation::pseudo_perplexity},
    MemberRow{"reference_pseudo_perplexity", &Evaluation::reference_pseudo_perplexity},
    MemberRow{"kl_mean", &Evaluation::kl_mean},
    MemberRow{"kl_median", &Evaluation::kl_median},
    MemberRow{"kl_p99", &Evaluation::kl_p99},
    MemberRow{"top1", &Evaluation::top1},
    MemberRow{"agreement", &Evaluation::agreement},
    MemberRow{"accuracy", &Evaluation::accuracy},
    MemberRow{"reference_accuracy", &Evaluation::reference_accuracy},
    MemberRow{"cosine_mean", &Evaluation::cosine_mean},
    MemberRow{"cosine_worst", &Evaluation::cosine_worst},
};

/// Of the output that is furthest from the reference's; NaN before all.
std::optional<double> worst_snr(const Evaluation& evaluation) {
  std::optional<double> worst;
  for (const Evaluation::Output& output : evaluation.outputs) {
    const bool is_worse = !worst || output.snr_db < *worst || std::isnan(output.snr_db);
    worst = is_worse ? output.snr_db : *worst;
  }
  return worst;
}

std::string line(std::string_view figure, double value) {
  const FigureRow& row = get_figure(figure);
  return fmt::format("{:<28} {}\n", row.label, format_figure(value, row.unit));
}

}  // namespace

Json to_json(const Evaluation& evaluation, const EvaluationOptions& options) {
  Json json = {{"task", calibration::name(evaluation.task)}, {"data", options.files}};
  if (!options.labels.empty()) {
    json["labels"] = options.labels;
  }
  json["samples"] = evaluation.samples;
  json["rows"] = evaluation.rows;
  json["score"] = options.score;
  json["rule"] = evaluation.rule;
  for (const MemberRow& row : kMembers) {
    if (const auto& value = evaluation.*row.member) {
      json[std::string(row.figure)] = *value;
    }
  }
  if (const auto worst = worst_snr(evaluation)) {
    json["snr_db"] = *worst;
  }
  for (const Evaluation::Output& output : evaluation.outputs) {
    json["outputs"].push_back({{"name", output.name}, {"snr_db", output.snr_db}});
  }
  return json;
}

std::string to_text(const Evaluation& evaluation) {
  std::string text = fmt::format("{:<28} {} samples, {} rows: {}\n", calibration::name(evaluation.task),
                                 evaluation.samples, evaluation.rows, evaluation.rule);
  for (const MemberRow& row : kMembers) {
    if (const auto& value = evaluation.*row.member) {
      text += line(row.figure, *value);
    }
  }
  const auto worst = worst_snr(evaluation);
  return worst ? text + line("snr_db", *worst) : text;
}

}  // namespace terse::cli
