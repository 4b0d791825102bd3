#include "formats/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/json_fields.h"

namespace terse {
namespace {

/// "<s>", or {"content": "<s>", ...}.
std::string read_token(const JsonField& root, std::string_view name) {
  const auto field = root.find(name);
  if (!field) {
    return "";
  }
  return field->value().is_object() ? field->text("content") : field->text();
}

std::optional<bool> find_flag(const JsonField& root, std::string_view name) {
  const auto field = root.find(name);
  return field ? std::optional(field->flag()) : std::nullopt;
}

/// What transformers' class puts around a text when the configuration does not say.
struct ClassRow {
  std::string_view tokenizer_class;
  bool bos = false, eos = false;
};

constexpr std::array<ClassRow, 6> kClasses = {{
    {.tokenizer_class = "LlamaTokenizer", .bos = true},
    {.tokenizer_class = "CodeLlamaTokenizer", .bos = true},
    {.tokenizer_class = "GemmaTokenizer", .bos = true},
    {.tokenizer_class = "T5Tokenizer", .eos = true},
    {.tokenizer_class = "PegasusTokenizer", .eos = true},
    {.tokenizer_class = "MarianTokenizer", .eos = true},
}};

int32_t get_special(const Vocabulary& vocabulary, const std::string& text) {
  const auto found = std::ranges::find(vocabulary.tokens, text, &Vocabulary::Token::text);
  if (found == vocabulary.tokens.end()) {
    throw Error(Kind::input, "the special token '{}' of tokenizer_config.json is not in the vocabulary", text);
  }
  return static_cast<int32_t>(found - vocabulary.tokens.begin());
}

}  // namespace

TokenizerConfig read_tokenizer_config(std::string_view text) {
  const nlohmann::json document = parse_json(text);
  const JsonField root(document, "");
  TokenizerConfig out;
  out.tokenizer_class = root.text_or("tokenizer_class", "");
  if (out.tokenizer_class.ends_with("Fast")) {
    out.tokenizer_class.resize(out.tokenizer_class.size() - 4);
  }
  out.add_bos_token = find_flag(root, "add_bos_token");
  out.add_eos_token = find_flag(root, "add_eos_token");
  out.bos_token = read_token(root, "bos_token");
  out.eos_token = read_token(root, "eos_token");
  out.bert.lowercase = root.flag_or("do_lower_case", true);
  out.bert.strip_accents = root.flag_or("strip_accents", out.bert.lowercase);
  out.bert.handle_chinese_chars = root.flag_or("tokenize_chinese_chars", true);
  return out;
}

void add_special_tokens(const TokenizerConfig& config, Vocabulary& vocabulary) {
  const auto* row = std::ranges::find(kClasses, config.tokenizer_class, &ClassRow::tokenizer_class);
  const ClassRow known = row == kClasses.end() ? ClassRow{} : *row;
  if (config.add_bos_token.value_or(known.bos)) {
    vocabulary.prefix.push_back(get_special(vocabulary, config.bos_token.empty() ? "<s>" : config.bos_token));
  }
  if (config.add_eos_token.value_or(known.eos)) {
    vocabulary.suffix.push_back(get_special(vocabulary, config.eos_token.empty() ? "</s>" : config.eos_token));
  }
}

}  // namespace terse
