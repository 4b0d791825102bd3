#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calibration/conversations.h"
#include "calibration/tokenizers/tokenizer.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/tokenizer_path.h"
#include "formats/bytes.h"
#include "formats/documents.h"
#include "formats/text_settings.h"

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

/// Collects lines and prints them in pieces.
class Printer {
 public:
  explicit Printer(const TokenizeOptions& options) : json_(options.json) {}

  void add(const std::vector<int32_t>& ids) {
    if (json_) {
      out_ += fmt::format("[{}]\n", fmt::join(ids, ","));
    } else if (!ids.empty()) {
      out_ += fmt::format("{}\n", fmt::join(ids, "\n"));
    }
    if (out_.size() >= size_t{1} << 20) {
      flush();
    }
  }

  void flush() { print(std::exchange(out_, {})); }

 private:
  bool json_;
  std::string out_;
};

/// What a conversation's template has written has its special tokens already.
void tokenize_documents(const TokenizeOptions& options, const std::filesystem::path& path,
                        const calibration::Tokenizer& tokenizer, Printer& printer) {
  const bool speaks = std::filesystem::is_directory(path) || path.extension() == ".gguf";
  const std::filesystem::path folder = speaks ? path : path.parent_path();
  const TextSettings settings = read_text_settings(std::array{folder});
  calibration::Conversations conversations(settings);
  read_documents(
      options.text, TextUnit::line, [&](std::string_view messages) { return conversations.write(messages); },
      [&](const Document& document) {
        const bool is_bare = options.no_special || document.form == Document::Form::conversation;
        printer.add(tokenizer.encode(document.text, {.special_tokens = is_bare ? calibration::SpecialTokens::leave_out
                                                                               : calibration::SpecialTokens::add}));
        return true;
      });
}

ExitCode run(const TokenizeOptions& options, const Context& context) {
  const std::filesystem::path path = tokenizer_of(options.model, context.options);
  const auto tokenizer = calibration::open_tokenizer(path);
  Printer printer(options);
  if (std::filesystem::path(options.text).extension() == ".jsonl") {
    tokenize_documents(options, path, *tokenizer, printer);
  } else {
    const calibration::EncodeOptions encoding{
        .special_tokens = options.no_special ? calibration::SpecialTokens::leave_out : calibration::SpecialTokens::add};
    for_each_line(read_text(options.text),
                  [&](std::string_view line) { printer.add(tokenizer->encode(line, encoding)); });
  }
  printer.flush();
  return kDone;
}

}  // namespace

Action setup_tokenize(Arguments& arguments) {
  const auto options = std::make_shared<TokenizeOptions>();
  arguments.positional("MODEL", options->model,
                       "a model with a tokenizer in it or beside it, or the tokenizer's file or folder");
  arguments.positional("FILE", options->text, "a text, each line of which is encoded by itself, or a .jsonl file");
  arguments.flag("--no-special", options->no_special, "without the special tokens around each line");
  arguments.flag("--json", options->json, "one JSON array a line of the text");
  return [options](const Context& context) { return run(*options, context); };
}

}  // namespace terse::cli
