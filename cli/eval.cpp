#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/evaluation.h"
#include "cli/facts.h"
#include "cli/interrupts.h"
#include "cli/output_file.h"
#include "cli/phases.h"
#include "cli/progress.h"
#include "cli/tokenizer_path.h"
#include "formats/bytes.h"

namespace terse::cli {
namespace {

struct EvalOptions {
  std::string model, reference, report;
  EvaluationOptions evaluation;
};

Json make_report(const EvalOptions& options, const Model& model, const std::optional<Model>& reference,
                 const calibration::Evaluation& evaluation, const Phases& phases) {
  Json report = begin_report("eval");
  report["model"] = to_json(facts_of(model));
  report["model"].erase("weights");
  if (reference) {
    report["reference"] = to_json(facts_of(*reference));
    report["reference"].erase("weights");
  }
  report["evaluation"] = to_json(evaluation, options.evaluation);
  report["phases"] = phases.json();
  report["seconds"] = phases.total_seconds();
  report["peak_memory_bytes"] = peak_memory_bytes();
  return report;
}

ExitCode run(const EvalOptions& options, const Context& context) {
  if (!options.report.empty()) {
    check_report_path("--report", options.report, {options.model, options.reference});
    context.interrupts.will_write(options.report);
  }
  const auto tokenizer = find_tokenizer_for(options.evaluation.files, options.model, context.options);
  Phases phases;
  const Model model = phases.time("read", [&] { return open_model(options.model); });
  std::optional<Model> reference;
  if (!options.reference.empty()) {
    reference = phases.time("read", [&] { return open_model(options.reference); });
  }
  const auto data = calibration::read_dataset(model, {options.evaluation.files.begin(), options.evaluation.files.end()},
                                              options.evaluation.data_options(tokenizer));
  Progress progress(context.options);
  const auto evaluation = phases.time("evaluate", [&] {
    return calibration::evaluate(model, reference ? &*reference : nullptr, data,
                                 {.score = options.evaluation.score_rule(),
                                  .progress = [&](double done) { progress.update("evaluate", done); }});
  });
  progress.erase();
  if (!options.report.empty()) {
    write_text(options.report, dump(make_report(options, model, reference, evaluation, phases)));
  }
  print(to_text(evaluation));
  return kDone;
}

}  // namespace

Action setup_eval(Arguments& arguments) {
  const auto options = std::make_shared<EvalOptions>();
  arguments.positional("MODEL", options->model, "the model to measure");
  arguments.option("--reference", "MODEL", options->reference, "the original, to measure the distance from");
  arguments.list("--data", "FILE", options->evaluation.files,
                 ".txt or .jsonl text, .npz or .npy arrays, ONNX test_data_set_* folders");
  arguments.require();
  arguments.option("--samples", "N", options->evaluation.samples, "only the first N samples; 0 means all; of text 128");
  arguments.option("--seq-len", "N", options->evaluation.seq_len, "tokens a sample of text; 512, or 64 for encoders");
  arguments.choice("--score", {"all", "second-half"}, options->evaluation.score,
                   "which tokens of a window count; second-half is llama.cpp's rule");
  arguments.option("--labels", "FILE", options->evaluation.labels,
                   "of a classifier's samples: a class a line, as a number or by its name in config.json");
  arguments.option("--report", "FILE.json", options->report, "where to write the report");
  return [options](const Context& context) { return run(*options, context); };
}

}  // namespace terse::cli
