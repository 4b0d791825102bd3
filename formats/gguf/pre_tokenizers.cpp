#include "formats/gguf/pre_tokenizers.h"

#include <algorithm>
#include <span>

#include "formats/error.h"
#include "formats/gguf/pre_tokenizer_table.h"

namespace terse::gguf {
namespace {

constexpr CutStep kDigits{CutStep::Kind::digits, {}};
constexpr CutStep kDigitRuns{CutStep::Kind::digit_runs, {}};
constexpr CutStep kBytesGpt2{CutStep::Kind::bytes_gpt2, {}};

std::string known_names() {
  std::string names;
  for (const PreTokenizerRow& row : pre_tokenizer_rows()) {
    if (names.find(fmt::format("{},", row.name)) == std::string::npos) {
      names += fmt::format("{}, ", row.name);
    }
  }
  names.resize(names.size() - 2);
  return names;
}

PreTokenizer make_step(const CutStep& step) {
  switch (step.kind) {
    case CutStep::Kind::digits:
      return pre_tokenizers::Digits{.individual = true};
    case CutStep::Kind::digit_runs:
      return pre_tokenizers::Digits{.individual = false};
    case CutStep::Kind::punctuation_runs:
      return pre_tokenizers::Punctuation{.behavior = SplitBehavior::contiguous};
    case CutStep::Kind::bytes_gpt2:
      return pre_tokenizers::ByteLevel{.add_prefix_space = false, .use_regex = true};
    case CutStep::Kind::split:
    case CutStep::Kind::none:
      break;
  }
  return pre_tokenizers::Split{.pattern = {.kind = TextPattern::Kind::regex, .text = std::string(step.pattern)}};
}

bool has_bytes(std::span<const CutStep> steps) {
  return std::ranges::find(steps, CutStep::Kind::bytes_gpt2, &CutStep::kind) != steps.end();
}

std::vector<PreTokenizer> make_steps(const PreTokenizerRow& row) {
  std::vector<PreTokenizer> out;
  for (const CutStep& step : row.steps) {
    if (step.kind != CutStep::Kind::none) {
      out.push_back(make_step(step));
    }
  }
  if (row.byte_level && !has_bytes(row.steps)) {
    out.emplace_back(pre_tokenizers::ByteLevel{.add_prefix_space = false, .use_regex = false});
  }
  return out;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Line ends that stand in a pattern as they are, escapes that change nothing, and ways to write English endings of
/// either case.
std::string canonical_pattern(std::string pattern) {
  replace_all(pattern, "\r", "\\r");
  replace_all(pattern, "\n", "\\n");
  replace_all(pattern, "\\\"", "\"");
  replace_all(pattern, "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "(?i:'s|'t|'re|'ve|'m|'ll|'d)");
  return pattern;
}

/// The steps of a file, as far as they have an equal here; their patterns are kept in `texts`.
class Canonical {
 public:
  /// False if one of them has none.
  bool read(const std::vector<PreTokenizer>& steps) {
    texts_.reserve(steps.size());
    return std::ranges::all_of(steps, [&](const PreTokenizer& it) { return read(it); }) && byte_level_ && matches_;
  }

  const std::vector<CutStep>& steps() const { return steps_; }

 private:
  bool read(const PreTokenizer& step) {
    if (const auto* it = std::get_if<pre_tokenizers::Split>(&step)) {
      return read_split(*it);
    }
    if (const auto* digits = std::get_if<pre_tokenizers::Digits>(&step)) {
      steps_.push_back(digits->individual ? kDigits : kDigitRuns);
      return true;
    }
    if (const auto* punctuation = std::get_if<pre_tokenizers::Punctuation>(&step)) {
      steps_.push_back({CutStep::Kind::punctuation_runs, {}});
      return punctuation->behavior == SplitBehavior::contiguous;
    }
    const auto* bytes = std::get_if<pre_tokenizers::ByteLevel>(&step);
    return bytes != nullptr && read_bytes(*bytes);
  }

  /// A pattern that matches everything may be cut out as what is between its matches, "removed".
  bool read_split(const pre_tokenizers::Split& step) {
    const bool is_isolated = step.behavior == SplitBehavior::isolated && !step.invert;
    const bool is_inverted = step.behavior == SplitBehavior::removed && step.invert;
    if (step.pattern.kind != TextPattern::Kind::regex || (!is_isolated && !is_inverted)) {
      return false;
    }
    texts_.push_back(canonical_pattern(step.pattern.text));
    const std::string_view pattern = texts_.back();
    if (is_inverted && !pattern.ends_with(R"(\s+)")) {
      return false;
    }
    if (pattern == kGpt2Pattern) {
      steps_.push_back(kBytesGpt2);
      is_split_gpt2_ = true;
    } else {
      steps_.push_back(pattern == R"(\p{N})"    ? kDigits
                       : pattern == R"(\p{N}+)" ? kDigitRuns
                                                : CutStep{CutStep::Kind::split, pattern});
    }
    return true;
  }

  bool read_bytes(const pre_tokenizers::ByteLevel& bytes) {
    if (byte_level_) {
      return false;
    }
    byte_level_ = true;
    if (bytes.add_prefix_space && !steps_.empty()) {
      return false;  // each piece would get a space
    }
    if (bytes.use_regex) {
      matches_ = !is_split_gpt2_;
      steps_.push_back(kBytesGpt2);
    }
    return true;
  }

  std::vector<CutStep> steps_;
  std::vector<std::string> texts_;
  bool byte_level_ = false, matches_ = true, is_split_gpt2_ = false;
};

bool is_same(const CutSteps& row, std::span<const CutStep> steps) {
  const auto end = std::ranges::find(row, CutStep::Kind::none, &CutStep::kind);
  return std::ranges::equal(row.begin(), end, steps.begin(), steps.end());
}

/// How a file cuts texts, for a message.
std::string describe(const PreTokenizer& step) {
  struct Describe {
    std::string operator()(const pre_tokenizers::ByteLevel& it) const {
      return it.use_regex ? "ByteLevel with its own pattern" : "ByteLevel";
    }
    std::string operator()(const pre_tokenizers::Split& it) const { return fmt::format("Split '{}'", it.pattern.text); }
    std::string operator()(const pre_tokenizers::Digits& it) const {
      return it.individual ? "Digits one by one" : "Digits";
    }
    std::string operator()(const pre_tokenizers::Whitespace&) const { return "Whitespace"; }
    std::string operator()(const pre_tokenizers::WhitespaceSplit&) const { return "WhitespaceSplit"; }
    std::string operator()(const pre_tokenizers::Bert&) const { return "BertPreTokenizer"; }
    std::string operator()(const pre_tokenizers::Metaspace&) const { return "Metaspace"; }
    std::string operator()(const pre_tokenizers::Punctuation&) const { return "Punctuation"; }
    std::string operator()(const pre_tokenizers::FixedLength&) const { return "FixedLength"; }
  };
  return std::visit(Describe{}, step);
}

std::string describe(const std::vector<PreTokenizer>& steps) {
  std::vector<std::string> parts;
  parts.reserve(steps.size());
  for (const PreTokenizer& step : steps) {
    parts.push_back(describe(step));
  }
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

/// Whether a tokenizer must have been trained with digits cut off although its file does not say so any more: merging
/// never joins one with anything. That step gets lost where transformers makes a checkpoint of a GGUF file, and
/// llama.cpp's converter, which looks at the ids of one text, does not miss it either.
bool was_trained_on_digits(const Vocabulary& vocabulary) {
  constexpr size_t kTelling = 10'000;  // so many merges join digits if they may
  return vocabulary.merges.size() >= kTelling &&
         std::ranges::none_of(vocabulary.merges, [&](const Vocabulary::Merge& merge) {
           const std::string& text = vocabulary.tokens[static_cast<size_t>(merge.merged)].text;
           return text.find_first_of("0123456789") != std::string::npos;
         });
}

/// Whether a space is put in front of texts, which no name says.
bool adds_space(const Vocabulary& vocabulary) {
  const auto* bytes = std::get_if<pre_tokenizers::ByteLevel>(&vocabulary.pre_tokenizers.front());
  return bytes != nullptr && bytes->add_prefix_space;
}

bool composes(const Vocabulary& vocabulary) {
  for (const Normalizer& normalizer : vocabulary.normalizers) {
    const auto* unicode = std::get_if<normalizers::Unicode>(&normalizer);
    if (unicode == nullptr || unicode->form != normalizers::Form::nfc) {
      throw Error(Kind::unsupported,
                  "the tokenizer changes texts before a byte-level BPE sees them, which GGUF cannot say, expected no "
                  "normalizer but NFC");
    }
  }
  return !vocabulary.normalizers.empty();
}

/// Of the rows for equal steps, the one that agrees in most of what else they say.
const PreTokenizerRow* find_row(std::span<const CutStep> steps, bool nfc, bool ignore_merges) {
  const PreTokenizerRow* best = nullptr;
  int most = -1;
  for (const PreTokenizerRow& row : pre_tokenizer_rows()) {
    const int agreements = (row.ignore_merges == ignore_merges ? 2 : 0) + (row.nfc == nfc ? 1 : 0);
    if (row.byte_level && is_same(row.steps, steps) && agreements > most) {
      best = &row;
      most = agreements;
    }
  }
  return best;
}

}  // namespace

PreTokenizerRule get_pre_tokenizer(std::string_view name) {
  const auto rows = pre_tokenizer_rows();
  const auto row = std::ranges::find(rows, name, &PreTokenizerRow::name);
  if (row == rows.end()) {
    throw Error(Kind::unsupported, "terse does not know the pre-tokenizer '{}', only {}", name, known_names());
  }
  PreTokenizerRule rule{.name = row->name,
                        .pre_tokenizers = make_steps(*row),
                        .byte_level = row->byte_level,
                        .ignore_merges = row->ignore_merges,
                        .adds_bos = row->adds_bos};
  if (row->nfc) {
    rule.normalizers.emplace_back(normalizers::Unicode{normalizers::Form::nfc});
  }
  if (!row->byte_level) {
    rule.normalizers.emplace_back(normalizers::Replace{.pattern = {.text = " "}, .content = "\u2581"});
  }
  return rule;
}

std::string_view find_pre_tokenizer_name(const Vocabulary& vocabulary) {
  const bool nfc = composes(vocabulary);
  Canonical canonical;
  const bool is_known = canonical.read(vocabulary.pre_tokenizers);
  std::vector<CutStep> steps = canonical.steps();
  if (steps == std::vector<CutStep>{kBytesGpt2} && !adds_space(vocabulary) && was_trained_on_digits(vocabulary)) {
    steps.insert(steps.begin(), kDigits);
  }
  if (const PreTokenizerRow* row = is_known ? find_row(steps, nfc, vocabulary.ignore_merges) : nullptr) {
    return row->name;
  }
  throw Error(
      Kind::unsupported,
      "llama.cpp has no name for the way in which the tokenizer cuts texts ({}); the names that terse knows are "
      "{}",
      describe(vocabulary.pre_tokenizers), known_names());
}

}  // namespace terse::gguf
