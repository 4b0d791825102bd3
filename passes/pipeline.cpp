#include "passes/pipeline.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>

#include "formats/error.h"
#include "passes/measuring.h"
#include "passes/selection.h"
#include "passes/solving.h"

namespace terse::passes {
namespace {

/// What is known of a weight beside the graph. Kept by name: rewrites renumber values.
struct History {
  std::string before;
  int64_t bytes_before = 0;
  double signal = 0, noise = 0;
  std::optional<int64_t> zeros;
  std::string solver;
  std::optional<double> output_error;
  std::string note;
};

using Histories = std::map<std::string, History, std::less<>>;

class Runner {
 public:
  Runner(Model& model, const PipelineOptions& options) : model_(model), options_(options) { note_new_weights(); }

  void rewrite(const PassRow& row, const PassCall& call) {
    const auto start = std::chrono::steady_clock::now();
    report_progress(call.name, 0);
    with_context(call.name, [&] { row.rewrite(model_, Arguments(row, call)); });
    note_new_weights();
    note_time(to_string(call), 0, start);
  }

  void measure(const PassRow& row, const PassCall& call) {
    const auto start = std::chrono::steady_clock::now();
    const Measuring measuring{.plan_only = options_.plan_only,
                              .samples = options_.samples,
                              .progress = options_.progress,
                              .note = [&](std::string_view weight, std::string note) {
                                histories_[std::string(weight)].note = call.name + ": " + std::move(note);
                              }};
    with_context(call.name, [&] { row.measure(model_, Arguments(row, call), measuring); });
    note_time(to_string(call), 0, start);
  }

  void project(std::span<const PassCall> calls) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<Member> members;
    std::string text;
    std::vector<ValueId> all;
    for (const PassCall& call : calls) {
      members.push_back(with_context(call.name, [&] { return make_member(call); }));
      all.insert(all.end(), members.back().weights.begin(), members.back().weights.end());
      text += (text.empty() ? "" : " + ") + to_string(call);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    solve_weights(model_, all, members, solving_options(), [&](const SolvedWeight& solved) { note_solved(solved); });
    ++stage_;
    note_time(std::move(text), static_cast<int64_t>(all.size()), start);
  }

  PipelineReport report() {
    for (const ValueId id : matrices(graph())) {
      report_.weights.push_back(report_weight(graph().value(id)));
    }
    return std::move(report_);
  }

 private:
  Graph& graph() { return model_.graph; }

  /// Also of those that a rewrite has made of others.
  void note_new_weights() {
    for (const ValueId id : matrices(graph())) {
      const Encoding& encoding = *graph().value(id).constant;
      histories_.try_emplace(graph().value(id).name,
                             History{.before = describe(encoding), .bytes_before = stored_bytes(encoding)});
    }
  }

  void report_progress(std::string_view what, double done) const {
    if (options_.progress) {
      options_.progress(what, done);
    }
  }

  void note_time(std::string text, int64_t weights, std::chrono::steady_clock::time_point start) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    report_.times.push_back({.pass = std::move(text), .weights = weights, .seconds = seconds.count()});
  }

  /// Error usage if a solver needs more than there will be.
  void check_solver(std::string_view solver) const {
    if (options_.plan_only || options_.samples != nullptr || solver == "auto") {
      return;
    }
    const Knowledge needs = get_solver(solver).needs;
    if (options_.statistics == nullptr && needs != Knowledge::weights) {
      throw Error(Kind::usage, "solver={} needs calibration data: --data{}", solver,
                  needs == Knowledge::columns ? ", or --stats" : "");
    }
    if (needs == Knowledge::products && !has_products()) {
      throw Error(Kind::usage,
                  "solver={} needs calibration data, --data: these statistics say how large each input is, not how "
                  "inputs belong together, as those of --full-stats do",
                  solver);
    }
  }

  bool has_products() const {
    return options_.statistics != nullptr && std::ranges::any_of(*options_.statistics, [](const auto& entry) {
             return entry.second.products.has_value();
           });
  }

  /// Selects the weights of a call, leaves out those that the pass skips.
  Member make_member(const PassCall& call) {
    const PassRow& row = get_pass(call);
    const Arguments arguments(row, call);
    Member member{.call = &call, .projection = row.project(arguments), .solver = arguments.text("solver")};
    check_solver(member.solver);
    std::vector<EncodingPtr> encodings;
    for (const ValueId id : select(graph(), arguments, row.selects)) {
      const EncodingPtr& encoding = graph().value(id).constant;
      const std::string reason = member.projection->reason_to_skip(*encoding);
      if (!reason.empty()) {
        histories_[graph().value(id).name].note = call.name + ": " + reason;
        continue;
      }
      member.weights.push_back(id);
      encodings.push_back(encoding);
    }
    if (!options_.plan_only) {
      member.projection->prepare(encodings);
    }
    return member;
  }

  SolvingOptions solving_options() const {
    return {.effort = options_.plan_only ? Effort::plan : Effort::solve,
            .sources = {.samples = options_.samples, .statistics = options_.statistics},
            .progress = options_.progress,
            .journal = options_.journal,
            .stage = stage_};
  }

  void note_solved(const SolvedWeight& solved) {
    History& history = histories_[graph().value(solved.id).name];
    if (!solved.note.empty()) {
      history.note = solved.note;
    }
    const Projected& projected = solved.projected;
    if (!projected.solution) {
      return;
    }
    history.signal = history.signal > 0 ? history.signal : projected.solution->signal;
    history.noise += projected.solution->noise;
    history.zeros = projected.solution->zeros;
    history.solver = projected.solver;
    history.output_error = projected.output_error;
  }

  WeightReport report_weight(const Value& value) const {
    const Encoding& encoding = *value.constant;
    const auto found = histories_.find(value.name);
    const History history = found == histories_.end() ? History{} : found->second;
    const double count = static_cast<double>(encoding.rows()) * static_cast<double>(encoding.columns());
    WeightReport report{.name = std::string(shown_name(value)),
                        .roles = value.roles,
                        .shape = encoding.shape,
                        .before = history.before,
                        .after = describe(encoding),
                        .bytes_before = history.bytes_before,
                        .bytes_after = stored_bytes(encoding),
                        .snr_db = std::numeric_limits<double>::infinity(),
                        .zeros_fraction = std::nullopt,
                        .solver = history.solver,
                        .output_error = history.output_error,
                        .note = history.note};
    if (history.noise > 0) {
      report.snr_db = 10 * std::log10(history.signal / history.noise);
    }
    if (history.zeros) {
      report.zeros_fraction = count > 0 ? static_cast<double>(*history.zeros) / count : 0;
    }
    return report;
  }

  Model& model_;
  const PipelineOptions& options_;
  Histories histories_;
  PipelineReport report_;
  int64_t stage_ = 0;  ///< groups of projections so far
};

}  // namespace

PipelineReport run_pipeline(const Pipeline& pipeline, Model& model, const PipelineOptions& options) {
  Runner runner(model, options);
  const auto is_projection = [](const PassCall& call) { return get_pass(call).stage == Stage::projection; };
  for (auto call = pipeline.calls.begin(); call != pipeline.calls.end();) {
    if (is_projection(*call)) {
      const auto end = std::find_if_not(call, pipeline.calls.end(), is_projection);
      runner.project(std::span(call, end));
      call = end;
    } else {
      const PassRow& row = get_pass(*call);
      row.stage == Stage::measured ? runner.measure(row, *call) : runner.rewrite(row, *call);
      ++call;
    }
  }
  return runner.report();
}

}  // namespace terse::passes
