#include <fmt/format.h>

#include <memory>
#include <utility>

#include "calibration/tokenizers/tokenizer.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/tokenizer_path.h"
#include "formats/bytes.h"

namespace terse::cli {
namespace {

struct TokenizeOptions {
  std::string model, text;
  bool no_special = false;
  bool json = false;
};

/// Lines without their ends; what follows the last end of line is a line only if there is something.
template <typename Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    visit(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

ExitCode run(const TokenizeOptions& options, const Context& context) {
  const auto tokenizer = calibration::open_tokenizer(tokenizer_of(options.model, context.options));
  const std::string text = read_text(options.text);
  const calibration::EncodeOptions encoding{.special_tokens = options.no_special ? calibration::SpecialTokens::leave_out
                                                                                 : calibration::SpecialTokens::add};
  std::string out;
  for_each_line(text, [&](std::string_view line) {
    const auto ids = tokenizer->encode(line, encoding);
    if (options.json) {
      out += fmt::format("[{}]\n", fmt::join(ids, ","));
    } else if (!ids.empty()) {
      out += fmt::format("{}\n", fmt::join(ids, "\n"));
    }
    if (out.size() >= size_t{1} << 20) {
      print(std::exchange(out, {}));
    }
  });
  print(out);
  return kDone;
}

}  // namespace

Action setup_tokenize(Arguments& arguments) {
  const auto options = std::make_shared<TokenizeOptions>();
  arguments.positional("MODEL", options->model,
                       "a model with a tokenizer beside it, or the tokenizer's file or folder");
  arguments.positional("FILE", options->text, "a text; each line is encoded by itself");
  arguments.flag("--no-special", options->no_special, "without the special tokens around each line");
  arguments.flag("--json", options->json, "one JSON array a line of the text");
  return [options](const Context& context) { return run(*options, context); };
}

}  // namespace terse::cli
