#include "cli/commands.h"
#include "cli/console.h"
#include "cli/encoder_decoder_files.h"
#include "cli/interrupts.h"
#include "cli/output_file.h"
#include "cli/units.h"
#include "formats/error.h"
#include "passes/pipeline.h"

namespace terse::cli {
namespace {

struct ConvertOptions {
  std::string model;
  OutputOptions output;
  std::string dtype;
};

void cast(const ConvertOptions& options, Model& model) {
  if (!options.dtype.empty()) {
    passes::run_pipeline(passes::parse_recipe(fmt::format("cast,dtype={},codes=decode", options.dtype)), model, {});
  }
}

void print_sizes(const ConvertOptions& options, const Model& model, int64_t bytes) {
  print(fmt::format("{}  {} -> {}\n", options.output.path, format_size(model.file_bytes), format_size(bytes)));
}

/// True if the model was written as a folder of its parts.
bool convert_to_parts(const ConvertOptions& options, const Context& context) {
  std::error_code ignored;
  if (options.output.target != "onnx" || !std::filesystem::is_directory(options.model, ignored)) {
    return false;
  }
  Model model = open_model(options.model);
  if (!wants_parts(options.output, model)) {
    return false;
  }
  context.interrupts.will_write(options.output.path);
  cast(options, model);
  print_sizes(options, model, write_parts(options.output, model));
  return true;
}

ExitCode run(const ConvertOptions& options, const Context& context) {
  if (convert_to_parts(options, context)) {
    return kDone;
  }
  const FormatRow& format = check_output(options.output, options.model);
  context.interrupts.will_write(options.output.path);
  Model model = open_for_output(options.output, options.model);
  cast(options, model);
  const WriteOptions write_options = options.output.write_options();
  const Layout layout = format.layout(model, options.output.path, write_options);
  check_files(options.output, layout);
  print_notes(layout, context.options);
  format.write(model, options.output.path, write_options);
  print_sizes(options, model, layout.total_bytes());
  return kDone;
}

}  // namespace

Action setup_convert(Arguments& arguments) {
  const auto options = std::make_shared<ConvertOptions>();
  arguments.positional("MODEL", options->model, "the model to convert");
  declare_output(arguments, options->output);
  arguments.choice("--dtype", {"f32", "f16", "bf16"}, options->dtype,
                   "the type to store weights in, those with codes too");
  return [options](const Context& context) {
    options->output.drop_slashes();
    return run(*options, context);
  };
}

}  // namespace terse::cli
