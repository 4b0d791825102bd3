#include <algorithm>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/interrupts.h"
#include "cli/output_file.h"
#include "cli/statistics_file.h"
#include "cli/tokenizer_path.h"
#include "cli/units.h"
#include "formats/error.h"
#include "formats/onnx/model_folder.h"

namespace terse::cli {
namespace {

struct MeasureOptions {
  std::string model, output;
  std::vector<std::string> data;
  std::optional<int64_t> samples, seq_len;
  bool full = false;
};

/// The model of a folder that has one: a file of statistics is of one model.
std::string find_model(const std::string& model) {
  const auto folder = onnx::find_model_folder(model);
  if (!folder) {
    return model;
  }
  std::string first = (folder->path / folder->models.front()).string();
  if (folder->models.size() > 1) {
    throw Error(Kind::usage, "{}: is a folder of {} models: measure one, {}", model, folder->models.size(), first);
  }
  return first;
}

ExitCode run(const MeasureOptions& options, const Context& context) {
  const std::string path = find_model(options.model);
  check_report_path("--output", options.output, {options.model});
  context.interrupts.will_write(options.output);
  const auto tokenizer = find_tokenizer_for(options.data, options.model, context.options);
  Phases phases;
  Progress progress(context.options);
  const Model model = phases.time("read", [&] { return open_model(path); });
  const calibration::Dataset data =
      calibration::read_dataset(model, {options.data.begin(), options.data.end()},
                                {.samples = options.samples, .seq_len = options.seq_len, .tokenizer = tokenizer});
  const auto sums = options.full ? calibration::Sums::both : calibration::Sums::squares;
  const gguf::Imatrix matrix =
      save_statistics(model, data, {.path = options.output, .data = options.data, .sums = sums}, progress, phases);
  progress.erase();
  print(fmt::format("{}  inputs of {} weights over {} samples\n", options.output, matrix.entries.size(),
                    format_count(matrix.chunk_count)));
  return kDone;
}

}  // namespace

Action setup_measure(Arguments& arguments) {
  const auto options = std::make_shared<MeasureOptions>();
  arguments.positional("MODEL", options->model, "the model to run");
  arguments.repeated("--data", "FILE", options->data, "calibration data, as compress reads it");
  arguments.require();
  arguments.option("-o,--output", "STATS.gguf", options->output,
                   "what compress --stats and llama-quantize --imatrix read; an older file is replaced");
  arguments.require();
  arguments.flag("--full-stats", options->full,
                 "also how inputs belong together (X^T X), for solvers obs and descent: a large file, of which "
                 "llama-quantize reads the rest");
  arguments.option("--samples", "N", options->samples, "calibration samples");
  arguments.option("--seq-len", "N", options->seq_len, "tokens of a calibration window");
  return [options](const Context& context) { return run(*options, context); };
}

}  // namespace terse::cli
