#include "cli/prompt.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "calibration/generate.h"
#include "calibration/text_samples.h"
#include "calibration/tokenizers/tokenizer.h"
#include "cli/console.h"
#include "cli/tokenizer_path.h"
#include "formats/error.h"
#include "formats/text_settings.h"

namespace terse::cli {
namespace {

using calibration::Tokenizer;

/// Prints the text of tokens as they come. A token may be part of a character, and tokens may look different at the
/// start of a text: so all are decoded each time, behind the prompt, and what is new and complete is printed.
class TokenPrinter {
 public:
  TokenPrinter(const Tokenizer& tokenizer, std::vector<int32_t> before)
      : tokenizer_(tokenizer), ids_(std::move(before)), printed_(tokenizer.decode(ids_).size()) {}

  void add(int64_t id) {
    ids_.push_back(static_cast<int32_t>(id));
    const std::string text = tokenizer_.decode(ids_);
    if (!text.ends_with("\uFFFD")) {
      print_new(text);
    }
  }

  void finish() {
    print_new(tokenizer_.decode(ids_));
    print("\n");
  }

 private:
  void print_new(const std::string& text) {
    if (text.size() > printed_) {
      print(text.substr(printed_));
      printed_ = text.size();
    }
  }

  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;
  size_t printed_;
};

/// The ids that end a text: those of the model's configuration, or else the tokenizer's end of sequence.
std::vector<int64_t> end_tokens(const TextSettings& settings, const Tokenizer& tokenizer) {
  std::vector<int64_t> ids = settings.end_tokens;
  if (const auto token = settings.special_tokens.find("eos_token");
      ids.empty() && token != settings.special_tokens.end()) {
    if (const auto id = tokenizer.find(token->second)) {
      ids.push_back(*id);
    }
  }
  return ids;
}

}  // namespace

ExitCode run_prompt(const std::string& path, const std::string& prompt, int64_t tokens, const Context& context) {
  if (tokens < 1) {
    throw Error(Kind::usage, "--tokens: expected 1 or more, found {}", tokens);
  }
  const auto tokenizer_path = tokenizer_of(path, context.options);
  const Model model = open_model(path);
  const auto tokenizer = calibration::open_tokenizer(tokenizer_path);
  const auto settings = read_text_settings(calibration::setting_folders(model, tokenizer_path));
  const auto sample = calibration::prompt_sample(model, *tokenizer, settings, prompt);
  const bool continues = !sample.contains("decoder_input_ids");
  TokenPrinter printer(*tokenizer, continues ? tokenizer->encode(prompt) : std::vector<int32_t>{});
  const std::vector<int64_t> ends = end_tokens(settings, *tokenizer);
  calibration::generate(model, sample,
                        {.tokens = tokens, .end_tokens = ends, .token = [&](int64_t id) { printer.add(id); }});
  printer.finish();
  return kDone;
}

}  // namespace terse::cli
