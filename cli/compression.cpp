#include "cli/compression.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "calibration/metrics.h"
#include "cli/figures.h"
#include "cli/table.h"
#include "cli/units.h"

namespace terse::cli {
namespace {

double bits_per_weight(const ModelFacts& facts) {
  int64_t bytes = 0;
  for (const WeightFact& weight : facts.weights) {
    bytes += weight.bytes;
  }
  return 8 * static_cast<double>(bytes) / static_cast<double>(std::max<int64_t>(facts.parameters(), 1));
}

double ratio(int64_t before, int64_t after) { return static_cast<double>(before) / static_cast<double>(after); }

/// The share of zeros among the weights whose numbers a pass has looked at, if there are any.
std::optional<double> zeros_of(const std::vector<passes::WeightReport>& weights) {
  double zeros = 0, count = 0;
  for (const passes::WeightReport& weight : weights) {
    const auto numbers = static_cast<double>(checked_count(weight.shape).value_or(0));
    zeros += weight.zeros_fraction.value_or(0) * numbers;
    count += weight.zeros_fraction ? numbers : 0;
  }
  return count == 0 ? std::nullopt : std::optional(zeros / count);
}

Json model_json(const ModelFacts& facts) {
  Json json = to_json(facts);
  json.erase("weights");
  json["bits_per_weight"] = bits_per_weight(facts);
  return json;
}

Json written_json(const Compression& compression) {
  Json json = model_json(compression.after);
  json["ratio"] = ratio(compression.before.file_bytes, compression.after.file_bytes);
  if (const auto zeros = zeros_of(compression.passes.weights)) {
    json["zeros"] = *zeros;
  }
  for (const Layout::File& file : compression.files) {
    json["files"].push_back({{"name", file.name}, {"bytes", file.bytes}});
  }
  return json;
}

Json to_json(const passes::WeightReport& weight) {
  Json json = {{"name", weight.name}, {"roles", role_names_json(weight.roles)}, {"shape", weight.shape}};
  json["before"] = weight.before;
  json["after"] = weight.after;
  json["bytes_before"] = weight.bytes_before;
  json["bytes_after"] = weight.bytes_after;
  json["snr_db"] = std::min(weight.snr_db, calibration::kMaxSnrDb);
  if (!weight.solver.empty()) {
    json["solver"] = weight.solver;
  }
  if (weight.output_error) {
    json["output_error"] = *weight.output_error;
  }
  if (weight.zeros_fraction) {
    json["zeros"] = *weight.zeros_fraction;
  }
  if (!weight.note.empty()) {
    json["note"] = weight.note;
  }
  return json;
}

Json to_json(const calibration::SmokeCheck& smoke) {
  Json json = {{"run", smoke.has_run}};
  if (!smoke.has_run) {
    json["reason"] = smoke.reason;
    return json;
  }
  json["task"] = calibration::name(smoke.task);
  json["finite"] = smoke.is_finite;
  if (smoke.kl_mean) {
    json["kl_mean"] = *smoke.kl_mean;
  }
  if (smoke.cosine) {
    json["cosine"] = *smoke.cosine;
  }
  return json;
}

std::string line(std::string_view label, const std::string& value) { return fmt::format("{:<28} {}\n", label, value); }

/// "descent 208, obs 2": how often each solver had the best solution; empty without data.
std::string solvers_text(const std::vector<passes::WeightReport>& weights) {
  std::map<std::string, int64_t> counts;
  for (const passes::WeightReport& weight : weights) {
    if (weight.output_error) {
      ++counts[weight.solver];
    }
  }
  std::string text;
  for (const auto& [solver, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", solver, count);
  }
  return text;
}

std::string statistics_text(const StatisticsUsed& used) {
  std::string files;
  for (const std::filesystem::path file : used.files) {
    files += (files.empty() ? "" : ", ") + file.filename().string();
  }
  return fmt::format("{}: {} of {} weights", files, used.with_products > 0 ? "X^T X" : "the size of inputs",
                     used.with_products > 0 ? used.with_products : used.weights);
}

/// "1 of 211 that passes have selected", if they have left some alone.
std::string changed_text(const std::vector<passes::WeightReport>& weights) {
  int64_t changed = 0, left = 0;
  for (const passes::WeightReport& weight : weights) {
    changed += weight.solver.empty() ? 0 : 1;
    left += weight.solver.empty() && !weight.note.empty() ? 1 : 0;
  }
  return left == 0 ? "" : fmt::format("{} of {} that passes have selected", changed, changed + left);
}

std::string encodings_text(const ModelFacts& facts) {
  Table table({"encoding", ">weights", ">parameters", ">bytes"});
  for (const Tally& tally : facts.by_encoding()) {
    table.add({tally.name, format_count(tally.weights), format_count(tally.parameters), format_count(tally.bytes)});
  }
  return table.text() + "\n";
}

}  // namespace

Json make_report(const Compression& compression, const EvaluationOptions& evaluation, const Phases& phases) {
  Json report = begin_report("compress");
  report["pipeline"] = compression.pipeline;
  report["seed"] = compression.seed;
  if (compression.resumed > 0) {
    report["resumed_weights"] = compression.resumed;
  }
  report["model"] = written_json(compression);
  report["reference"] = model_json(compression.before);
  if (compression.found) {
    report["search"] = {{"measure", compression.found->measure}, {"predicted", compression.found->predicted}};
  }
  if (const auto& statistics = compression.statistics) {
    report["statistics"] = {{"files", statistics->files},
                            {"weights", statistics->weights},
                            {"weights_with_products", statistics->with_products}};
  }
  report["smoke"] = to_json(compression.smoke);
  if (compression.evaluation) {
    report["evaluation"] = to_json(*compression.evaluation, evaluation);
  }
  for (const passes::PassTime& pass : compression.passes.times) {
    report["passes"].push_back({{"pass", pass.pass}, {"weights", pass.weights}, {"seconds", pass.seconds}});
  }
  report["phases"] = phases.json();
  report["seconds"] = phases.total_seconds();
  report["peak_memory_bytes"] = peak_memory_bytes();
  for (const passes::WeightReport& weight : compression.passes.weights) {
    report["weights"].push_back(to_json(weight));
  }
  return report;
}

std::string smoke_text(const calibration::SmokeCheck& smoke) {
  if (!smoke.has_run) {
    return "not run: " + smoke.reason;
  }
  const std::string finite = smoke.is_finite ? "" : "outputs that are not finite, ";
  return smoke.kl_mean ? fmt::format("{}KL divergence {} nats", finite, format_figure(*smoke.kl_mean, Unit::number))
                       : fmt::format("{}cosine {}", finite, format_figure(*smoke.cosine, Unit::number));
}

std::string to_text(const Compression& compression, const Phases& phases) {
  const ModelFacts& before = compression.before;
  const ModelFacts& after = compression.after;
  std::string text = encodings_text(after);
  text += line("size", fmt::format("{} -> {}, {:.2f} times smaller", format_size(before.file_bytes),
                                   format_size(after.file_bytes), ratio(before.file_bytes, after.file_bytes)));
  text += line("bits per weight", fmt::format("{:.2f} -> {:.2f}", bits_per_weight(before), bits_per_weight(after)));
  if (const std::string changed = changed_text(compression.passes.weights); !changed.empty()) {
    text += line("weights changed", changed);
  }
  if (compression.resumed > 0) {
    text += line("weights resumed", format_count(compression.resumed));
  }
  if (const auto zeros = zeros_of(compression.passes.weights)) {
    text += line("zeros", format_figure(*zeros, Unit::fraction) + " of the weights that passes changed");
  }
  if (const std::string solvers = solvers_text(compression.passes.weights); !solvers.empty()) {
    text += line("solved by", solvers);
  }
  if (compression.statistics) {
    text += line("inputs known from", statistics_text(*compression.statistics));
  }
  if (compression.found) {
    text += line("predicted", predicted_text(*compression.found));
  }
  text += line("smoke check", smoke_text(compression.smoke));
  if (compression.evaluation) {
    text += to_text(*compression.evaluation);
  }
  text += line("time", format_seconds(phases.total_seconds()));
  return text + line("peak memory", format_size(peak_memory_bytes()));
}

std::string plan_text(const ModelFacts& before, const passes::PipelineReport& passes, const Layout& layout,
                      const std::optional<passes::FoundEncodings>& found) {
  Table table({"weight", "role", "shape", "before", "after", ">bytes"});
  for (const passes::WeightReport& weight : passes.weights) {
    table.add({weight.name, role_names(weight.roles), to_string(weight.shape), weight.before, weight.after,
               format_count(weight.bytes_after)});
  }
  std::string text = table.text() + "\n";
  for (const Layout::File& file : layout.files) {
    text += line(file.name, format_count(file.bytes) + " bytes");
  }
  if (found) {
    text += line("predicted", predicted_text(*found));
  }
  const int64_t total = layout.total_bytes();
  return text + line("size", fmt::format("{} -> {}, {:.2f} times smaller", format_size(before.file_bytes),
                                         format_size(total), ratio(before.file_bytes, total)));
}

std::string notes_text(const passes::PipelineReport& passes, NoteDetail detail) {
  std::string text;
  std::map<std::string, int64_t> reasons;
  for (const passes::WeightReport& weight : passes.weights) {
    if (weight.note.empty()) {
      continue;
    }
    text += detail == NoteDetail::weights ? fmt::format("{}: {}\n", weight.name, weight.note) : "";
    ++reasons[weight.note];
  }
  for (const auto& [reason, count] : reasons) {
    text += detail == NoteDetail::reasons ? fmt::format("{} weight{}: {}\n", count, count == 1 ? "" : "s", reason) : "";
  }
  return text;
}

}  // namespace terse::cli
