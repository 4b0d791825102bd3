#include <algorithm>
#include <filesystem>

#include "calibration/executor.h"
#include "calibration/inputs.h"
#include "calibration/npy.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/interrupts.h"
#include "cli/prompt.h"
#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

struct RunOptions {
  std::string model, folder, prompt;
  std::optional<int64_t> tokens;
  std::vector<std::string> inputs;  ///< NAME=FILE.npy
};

calibration::Sample read_inputs(const std::vector<std::string>& inputs) {
  calibration::Sample sample;
  for (const std::string& input : inputs) {
    const size_t equals = input.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == input.size()) {
      throw Error(Kind::usage, "--input: '{}' is not NAME=FILE.npy", input);
    }
    const std::string name = input.substr(0, equals);
    if (!sample.emplace(name, calibration::read_npy(input.substr(equals + 1))).second) {
      throw Error(Kind::usage, "--input: '{}' is given twice", name);
    }
  }
  return sample;
}

/// The name with whatever a file's name had better not hold replaced by '_': never empty, hidden or a path.
std::string file_name(std::string_view output) {
  constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  std::string name(output.substr(0, 200));  // file systems take 255 bytes
  std::ranges::replace_if(
      name, [&](char c) { return kSafe.find(c) == std::string_view::npos; }, '_');
  if (name.starts_with('.')) {
    name.front() = '_';
  }
  return name;
}

/// The outputs' file names; of equal ones the later get a number.
std::vector<std::string> file_names(const std::vector<std::string>& outputs) {
  std::vector<std::string> names;
  for (const std::string& output : outputs) {
    const std::string base = file_name(output);
    std::string name = base;
    for (int number = 2; std::ranges::find(names, name) != names.end(); ++number) {
      name = fmt::format("{}-{}", base, number);
    }
    names.push_back(std::move(name));
  }
  return names;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder)) {
    throw Error(Kind::io, "{}: cannot make the folder: {}", folder.string(),
                error ? error.message() : "a file is in the way");
  }
}

/// Arrays or a text, not both, and nothing that the other would want.
void check_use(const RunOptions& options, const GlobalOptions& global) {
  const bool has_arrays = !options.inputs.empty() || !options.folder.empty();
  if (has_arrays && !options.prompt.empty()) {
    throw Error(Kind::usage, "run: --prompt goes without --input and --output-dir");
  }
  if (options.prompt.empty() && (options.inputs.empty() || options.folder.empty())) {
    throw Error(Kind::usage, "run: give --input and --output-dir, or --prompt");
  }
  if (options.prompt.empty() && (options.tokens || !global.tokenizer.empty())) {
    throw Error(Kind::usage, "run: --tokens and --tokenizer go with --prompt");
  }
}

ExitCode run(const RunOptions& options, const Context& context) {
  check_use(options, context.options);
  if (!options.prompt.empty()) {
    constexpr int64_t kTokens = 64;
    return run_prompt(options.model, options.prompt, options.tokens.value_or(kTokens), context);
  }
  const Model model = open_model(options.model);
  calibration::Sample sample = read_inputs(options.inputs);
  calibration::complete_sample(model, sample);
  make_folder(options.folder);
  const calibration::Executor executor(model);
  const auto outputs = executor.run(sample);
  const auto names = file_names(executor.output_names());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto path = std::filesystem::path(options.folder) / (names[i] + ".npy");
    context.interrupts.will_write(path);
    AtomicFile file(path);
    with_context(executor.output_names()[i], [&] { calibration::write_npy(file, outputs[i]); });
    file.commit();
    print(fmt::format("{} {} {}\n", path.string(), name(outputs[i].dtype()), to_string(outputs[i].shape())));
  }
  return kDone;
}

}  // namespace

Action setup_run(Arguments& arguments) {
  const auto options = std::make_shared<RunOptions>();
  arguments.positional("MODEL", options->model, "the model to run");
  arguments.list("--input", "NAME=FILE.npy", options->inputs,
                 "an array as it is for a graph input; masks, types, positions and empty caches may be left out");
  arguments.option("--output-dir", "DIR", options->folder, "every graph output becomes DIR/NAME.npy");
  arguments.option("--prompt", "TEXT", options->prompt, "print what a language model writes after this text (greedy)");
  arguments.option("--tokens", "N", options->tokens, "so many tokens at most, 64; the cost grows with their square");
  return [options](const Context& context) { return run(*options, context); };
}

}  // namespace terse::cli
