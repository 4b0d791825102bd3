#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "calibration/calibration_check.h"
#include "calibration/parallel.h"
#include "cli/commands.h"
#include "cli/compress_folder.h"
#include "cli/compression.h"
#include "cli/console.h"
#include "cli/encoding_search.h"
#include "cli/interrupts.h"
#include "cli/output_file.h"
#include "cli/pipeline_choice.h"
#include "cli/progress.h"
#include "cli/resume.h"
#include "cli/signature.h"
#include "cli/statistics_file.h"
#include "cli/tokenizer_path.h"
#include "cli/units.h"
#include "formats/bytes.h"
#include "formats/error.h"
#include "passes/text.h"

namespace terse::cli {
namespace {

struct CompressOptions {
  std::string model, max_size, report, save_encodings, save_stats;
  OutputOptions output;
  PipelineChoice pipeline;
  std::vector<std::string> data, stats;
  std::optional<int64_t> samples, seq_len;
  EvaluationOptions evaluation;
  int64_t seed = 0;
  bool dry_run = false, resume = false, full_stats = false;
};

void check_options(const CompressOptions& options) {
  if (options.data.empty() && (options.samples || options.seq_len)) {
    throw Error(Kind::usage, "--samples, --seq-len: say how to read --data, which is missing");
  }
  if (options.evaluation.files.empty() && !options.evaluation.labels.empty()) {
    throw Error(Kind::usage, "--labels: they are of --eval-data, which is missing");
  }
  if (!options.data.empty() && !options.stats.empty()) {
    throw Error(Kind::usage, "--stats: not together with --data, which finds out what --stats says and more");
  }
  if (options.max_size.empty()) {
    check_not_empty(options.pipeline);
  } else {
    with_context("--max-size", [&] { parse_size(options.max_size); });
  }
  if (options.resume && options.data.empty()) {
    throw Error(Kind::usage, "--resume: only a run with --data keeps what it has solved");
  }
  if (!options.save_stats.empty() && (options.data.empty() || options.dry_run)) {
    throw Error(Kind::usage, "--save-stats: measures the model on --data, {}",
                options.dry_run ? "which --dry-run does not run" : "which is missing");
  }
  if (options.full_stats && options.save_stats.empty()) {
    throw Error(Kind::usage, "--full-stats: says what --save-stats writes, which is missing");
  }
  if (options.seed < 0) {
    throw Error(Kind::usage, "--seed: expected 0 or more, found {}", options.seed);
  }
}

struct Plan {
  passes::PipelineReport passes;
  Layout layout;
  std::string encodings;  ///< as --encodings reads them
};

/// What would come out, without touching a weight. Errors if the target cannot hold it.
Plan make_plan(const CompressOptions& options, const FormatRow& format, const passes::Pipeline& pipeline,
               const Model& original) {
  Model planned = copy_of(original);
  Plan plan{.passes = run_pipeline(pipeline, planned, {.plan_only = true}), .layout = {}, .encodings = {}};
  plan.encodings = passes::encodings_text(original.graph, planned.graph);
  sign(planned, to_string(pipeline), options.seed);
  const WriteOptions write_options = options.output.write_options();
  plan.layout = format.layout(planned, options.output.path, write_options);
  return plan;
}

/// Errors if --max-size would be missed, or files are in the way.
void check_plan(const CompressOptions& options, const Plan& plan) {
  if (!options.dry_run) {
    check_files(options.output, plan.layout);
  }
  const int64_t bytes = plan.layout.total_bytes();
  if (!options.max_size.empty() && bytes > parse_size(options.max_size)) {
    throw Error(Kind::unsupported, "--max-size {}: the encodings that are given take {} bytes", options.max_size,
                format_count(bytes));
  }
}

void print_pass_notes(const GlobalOptions& global, const passes::PipelineReport& report) {
  if (global.quiet) {
    return;
  }
  const std::string notes = notes_text(report, global.verbose ? NoteDetail::weights : NoteDetail::reasons);
  for (const std::string_view note : passes::split(passes::trim(notes), '\n')) {
    print_message(fmt::format("note: {}", note));
  }
}

void warn(const GlobalOptions& global, const Compression& compression) {
  print_pass_notes(global, compression.passes);
  if (!compression.journal_failure.empty()) {
    print_message("warning: this run could not have been resumed: " + compression.journal_failure);
  }
  const auto& smoke = compression.smoke;
  if (!global.quiet && smoke.has_run &&
      (!smoke.is_finite || (smoke.kl_mean && !(*smoke.kl_mean <= calibration::kSuspiciousKl)))) {
    print_message("warning: the smoke check says that this model is broken");
  }
}

struct Run {
  const CompressOptions& options;
  const Context& context;
  const FormatRow& format;
  Progress& progress;
  Phases& phases;
  const std::filesystem::path& tokenizer;  ///< of data that is text
};

/// What is known beside the model.
struct Knowledge {
  calibration::Dataset data;           ///< empty without --data
  passes::SavedStatistics statistics;  ///< empty without --stats
  calibration::Dataset evaluation;     ///< empty without --eval-data

  const std::vector<calibration::Sample>* find_samples() const {
    return data.samples.empty() ? nullptr : &data.samples;
  }
  const passes::SavedStatistics* find_statistics() const { return statistics.empty() ? nullptr : &statistics; }
};

/// What is to be done, and what it was found by.
struct Work {
  passes::Pipeline pipeline;
  std::optional<passes::FoundEncodings> found;  ///< with --max-size
};

std::function<void(std::string_view, double)> show_progress(const Run& run) {
  return [&run](std::string_view what, double done) { run.progress.update(what, done); };
}

/// The pipeline that was chosen; with --max-size the one that the search makes of it.
Work make_work(const Run& run, const ChosenPipeline& chosen, const Model& original, const Knowledge& known) {
  const auto limit = find_limit(run.options.max_size, chosen.pipeline);
  if (!limit) {
    return {.pipeline = chosen.for_graph(original.graph), .found = {}};
  }
  const WriteOptions write_options = run.options.output.write_options();
  const std::filesystem::path path = run.options.output.path;
  auto found = run.phases.time("search", [&] {
    return find_encodings(
        {.chosen = chosen,
         .format = run.format,
         .write_options = write_options,
         .path = path,
         .limit = *limit,
         .plan = [&](const auto& pipeline) { return make_plan(run.options, run.format, pipeline, original).layout; }},
        original,
        {.samples = known.find_samples(), .statistics = known.find_statistics(), .progress = show_progress(run)});
  });
  const passes::Pipeline pipeline = found ? found->pipeline : chosen.for_graph(original.graph);
  return {.pipeline = pipeline, .found = std::move(found)};
}

/// Where this run keeps the weights that it solves with --data, else nothing.
std::optional<passes::SolvedJournal> open_journal(const Run& run, const passes::Pipeline& pipeline, const Model& model,
                                                  const Knowledge& known) {
  if (known.find_samples() == nullptr) {
    return std::nullopt;
  }
  run.progress.update("read", 0);
  return make_journal(
      journal_path(run.options.output.path), run.options.resume ? AfterKill::go_on : AfterKill::start_over,
      {.model = model, .samples = known.data.samples, .pipeline = to_string(pipeline), .seed = run.options.seed});
}

passes::PipelineReport run_passes(const Run& run, const passes::Pipeline& pipeline, Model& model,
                                  const Knowledge& known, passes::SolvedJournal* journal) {
  auto report = run.phases.time("passes", [&] {
    return run_pipeline(pipeline, model,
                        {.samples = known.find_samples(),
                         .statistics = known.find_statistics(),
                         .journal = journal,
                         .progress = show_progress(run)});
  });
  sign(model, to_string(pipeline), run.options.seed);
  return report;
}

/// Writes the file, and gives what reads back from it.
Model write(const Run& run, std::unique_ptr<const Model> model) {
  run.progress.update("write", 0);
  run.phases.time("write",
                  [&] { run.format.write(*model, run.options.output.path, run.options.output.write_options()); });
  model.reset();
  return run.phases.time("read back", [&] { return open_model(run.options.output.path); });
}

calibration::Evaluation evaluate(const Run& run, const Model& original, const Model& written,
                                 const calibration::Dataset& data) {
  return run.phases.time("evaluate", [&] {
    return calibration::evaluate(written, &original, data,
                                 {.score = run.options.evaluation.score_rule(),
                                  .progress = [&](double done) { run.progress.update("evaluate", done); }});
  });
}

/// Empty without --data.
calibration::Dataset read_calibration(const CompressOptions& options, const Model& model,
                                      const std::filesystem::path& tokenizer) {
  if (options.data.empty()) {
    return {};
  }
  calibration::Dataset data =
      calibration::read_dataset(model, {options.data.begin(), options.data.end()},
                                {.samples = options.samples, .seq_len = options.seq_len, .tokenizer = tokenizer});
  with_context("--data", [&] { check_calibration(data); });
  return data;
}

/// Before the work: bad data should not cost it.
Knowledge read_knowledge(const Run& run, const Model& model) {
  const auto& files = run.options.evaluation.files;
  const std::vector<std::filesystem::path> stats(run.options.stats.begin(), run.options.stats.end());
  Knowledge known;
  if (!files.empty() && !run.options.dry_run) {
    known.evaluation = calibration::read_dataset(model, {files.begin(), files.end()},
                                                 run.options.evaluation.data_options(run.tokenizer));
  }
  known.data = read_calibration(run.options, model, run.tokenizer);
  if (!stats.empty()) {
    known.statistics = with_context("--stats", [&] { return passes::read_statistics(stats, model); });
  }
  return known;
}

std::optional<StatisticsUsed> statistics_used(const Run& run, const Knowledge& known) {
  const passes::SavedStatistics* statistics = known.find_statistics();
  if (statistics == nullptr) {
    return std::nullopt;
  }
  return StatisticsUsed{.files = run.options.stats,
                        .weights = std::ssize(*statistics),
                        .with_products = std::ranges::count_if(
                            *statistics, [](const auto& entry) { return entry.second.products.has_value(); })};
}

Compression do_all(const Run& run, const Work& work, const Model& original, const Plan& plan, const Knowledge& known) {
  std::optional<passes::SolvedJournal> journal = open_journal(run, work.pipeline, original, known);
  passes::SolvedJournal* kept = journal ? &*journal : nullptr;
  JournalKeeper keeper(kept);
  auto model = std::make_unique<Model>(copy_of(original));
  if (!run.options.save_stats.empty()) {
    const auto sums = run.options.full_stats ? calibration::Sums::both : calibration::Sums::squares;
    save_statistics(original, known.data, {.path = run.options.save_stats, .data = run.options.data, .sums = sums},
                    run.progress, run.phases);
  }
  Compression result{.pipeline = to_string(work.pipeline),
                     .seed = run.options.seed,
                     .before = facts_of(original),
                     .after = {},
                     .files = plan.layout.files,
                     .found = work.found,
                     .resumed = journal ? journal->count() : 0,
                     .statistics = statistics_used(run, known),
                     .passes = keeper.run([&] { return run_passes(run, work.pipeline, *model, known, kept); }),
                     .smoke = {},
                     .evaluation = {},
                     .failure = {}};
  // Writing waits for the disk: the original's part of the check is done meanwhile.
  calibration::SmokeTest smoke(original);
  Model written;
  keeper.run(
      [&] { calibration::run_both([&] { written = write(run, std::move(model)); }, [&] { smoke.run_original(); }); });
  keeper.remove();
  result.after = facts_of(written);
  run.progress.update("smoke check", 0);
  result.smoke = run.phases.time("smoke check", [&] { return smoke.check(written); });
  if (journal && journal->failure()) {
    result.journal_failure = journal->failure()->what();
  }
  if (!known.evaluation.samples.empty()) {
    try {
      result.evaluation = evaluate(run, original, written, known.evaluation);
    } catch (const Error& error) {
      result.failure = error;
    }
  }
  run.progress.erase();
  return result;
}

/// Everything that can be refused before a model is opened.
const FormatRow& check_paths(const CompressOptions& options, const Context& context) {
  OutputOptions output = options.output;
  output.force |= options.dry_run;  // which replaces nothing
  const FormatRow& format = check_output(output, options.model);
  context.interrupts.will_write(options.output.path);
  if (!options.data.empty() && !options.dry_run) {
    check_journal(options.output, options.resume ? AfterKill::go_on : AfterKill::start_over);
    context.interrupts.will_keep(journal_path(options.output.path));
  }
  if (!options.report.empty()) {
    check_report_path("--report", options.report, {options.model, options.output.path});
    context.interrupts.will_write(options.report);
  }
  if (!options.save_stats.empty()) {
    check_report_path("--save-stats", options.save_stats, {options.model, options.output.path});
    context.interrupts.will_write(options.save_stats);
  }
  if (!options.save_encodings.empty()) {
    check_report_path("--save-encodings", options.save_encodings, {options.model, options.output.path});
    context.interrupts.will_write(options.save_encodings);
  }
  return format;
}

/// The same for a folder of ONNX models, each compressed by itself.
ExitCode run_folder(const CompressOptions& options, const onnx::ModelFolder& folder, const Context& context) {
  if (options.resume || !options.stats.empty() || !options.save_stats.empty() || !options.save_encodings.empty() ||
      !options.pipeline.encodings.empty()) {
    throw Error(Kind::usage,
                "--stats, --save-stats, --encodings, --save-encodings, --resume: of single models, {} is a folder of "
                "{}",
                options.model, folder.models.size());
  }
  check_not_empty(options.pipeline);
  return compress_folder({.model = options.model,
                          .report = options.report,
                          .max_size = options.max_size,
                          .output = options.output,
                          .pipeline = options.pipeline,
                          .data = options.data,
                          .samples = options.samples,
                          .seq_len = options.seq_len,
                          .evaluation = options.evaluation,
                          .seed = options.seed,
                          .dry_run = options.dry_run},
                         folder, context);
}

ExitCode run(const CompressOptions& options, const Context& context) {
  check_options(options);
  if (const auto folder = onnx::find_model_folder(options.model)) {
    return run_folder(options, *folder, context);
  }
  const FormatRow& format = check_paths(options, context);
  const ChosenPipeline chosen = read_pipeline(options.pipeline, format);
  std::vector<std::string> files = options.evaluation.files;
  files.insert(files.end(), options.data.begin(), options.data.end());
  const auto tokenizer = find_tokenizer_for(files, options.model, context.options);
  Phases phases;
  Progress progress(context.options);
  const Model original = phases.time("read", [&] { return open_for_output(options.output, options.model); });
  const Run run{options, context, format, progress, phases, tokenizer};
  Knowledge known;
  const bool searches = find_limit(options.max_size, chosen.pipeline).has_value();
  if (searches) {
    known = read_knowledge(run, original);
  }
  const Work work = make_work(run, chosen, original, known);
  const Plan plan = phases.time("plan", [&] { return make_plan(options, format, work.pipeline, original); });
  progress.erase();
  check_plan(options, plan);
  print_notes(plan.layout, context.options);
  if (!options.save_encodings.empty()) {
    write_text(options.save_encodings, plan.encodings);
  }
  if (options.dry_run) {
    print(plan_text(facts_of(original), plan.passes, plan.layout, work.found));
    print_pass_notes(context.options, plan.passes);
    return kDone;
  }
  if (!searches) {
    known = read_knowledge(run, original);
  }
  const Compression result = do_all(run, work, original, plan, known);
  if (!options.report.empty()) {
    write_text(options.report, dump(make_report(result, options.evaluation, phases)));
  }
  print(to_text(result, phases));
  warn(context.options, result);
  if (result.failure) {
    throw *result.failure;
  }
  return kDone;
}

}  // namespace

Action setup_compress(Arguments& arguments) {
  const auto options = std::make_shared<CompressOptions>();
  arguments.positional("MODEL", options->model, "the model to compress");
  declare_output(arguments, options->output);
  declare_pipeline(arguments, options->pipeline);
  arguments.repeated("--data", "FILE", options->data, "calibration data (for calibrated solvers)");
  arguments.repeated(
      "--stats", "FILE", options->stats,
      "instead of --data: how large inputs are, as measure or llama-imatrix writes it (with measure --full-stats also "
      "how they belong together); several count as one run");
  arguments.option("--samples", "N", options->samples, "calibration samples");
  arguments.option("--seq-len", "N", options->seq_len, "tokens of a calibration window");
  arguments.option("--max-size", "SIZE", options->max_size,
                   "the most that OUT may take: 80MB; encodings are chosen for it");
  arguments.repeated("--eval-data", "FILE", options->evaluation.files,
                     "measure the written file on this data, as eval --data does");
  arguments.option("--labels", "FILE", options->evaluation.labels,
                   "of --eval-data's samples: a class a line, as a number or by its name in config.json");
  arguments.option("--report", "FILE.json", options->report, "where to write the report");
  arguments.flag("--dry-run", options->dry_run, "print what each weight would become and the size; write nothing");
  arguments.option("--save-encodings", "FILE", options->save_encodings,
                   "write what each weight becomes, as --encodings reads it");
  arguments.flag("--resume", options->resume,
                 "go on where a run with --data was killed: it has left OUT.resume; without that, begin");
  arguments.option("--save-stats", "FILE", options->save_stats,
                   "write how large inputs are on --data, as --stats and llama-quantize --imatrix read it");
  arguments.flag("--full-stats", options->full_stats,
                 "with --save-stats: also how inputs belong together (X^T X), for solvers obs and descent");
  arguments.option("--seed", "N", options->seed, "for whatever draws random numbers; stored in OUT");
  return [options](const Context& context) {
    options->output.drop_slashes();
    return run(*options, context);
  };
}

}  // namespace terse::cli
