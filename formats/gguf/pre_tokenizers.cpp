#include "formats/gguf/pre_tokenizers.h"

#include <algorithm>
#include <array>
#include <span>

#include "formats/error.h"

namespace terse::gguf {
namespace {

/// One step of cutting. Those of different spelling and equal meaning are one.
struct Step {
  enum class Kind {
    none,
    split,             ///< matches of the pattern are pieces, and what is between them
    digits,            ///< each digit
    digit_runs,        ///< neighbouring digits
    punctuation_runs,  ///< neighbouring characters of punctuation
    bytes_gpt2,        ///< at kGpt2, and from here on the text is one in GPT-2's alphabet of bytes
  };
  Kind kind = Kind::none;
  std::string_view pattern;
  bool operator==(const Step&) const = default;
};

using Steps = std::array<Step, 7>;

constexpr Step split(std::string_view pattern) { return {Step::Kind::split, pattern}; }
constexpr Step kDigits{Step::Kind::digits, {}};
constexpr Step kDigitRuns{Step::Kind::digit_runs, {}};
constexpr Step kPunctuationRuns{Step::Kind::punctuation_runs, {}};
constexpr Step kBytesGpt2{Step::Kind::bytes_gpt2, {}};

// The patterns that checkpoints' tokenizer.json files have, in Oniguruma's syntax. llama.cpp spells some of them in
// another way (without (?i:...) and with ranges of ASCII letters for classes of letters). Source: the tokenizers of the
// models that the names stand for; src/llama-vocab.cpp.

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr Steps kGpt2Steps = {kBytesGpt2};
constexpr Steps kDigitsGpt2 = {kDigits, kBytesGpt2};
constexpr Steps kFalcon = {kPunctuationRuns, kBytesGpt2, kDigitRuns, split("[0-9][0-9][0-9]")};
constexpr Steps kLlama3 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Steps kQwen2 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Steps kQwen35 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Steps kTekken = {split(
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr Steps kGpt4o = {split(kO200k)};
constexpr Steps kTinyAya = {split(R"(\d{1,3}(?=(?:\d{3})*\b))"), split(kO200k)};
constexpr Steps kKimi = {split(
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Step kCjkRuns = split("[一-龥぀-ゟ゠-ヿ]+");
constexpr Steps kDeepSeekV3 = {
    split(R"(\p{N}{1,3})"), kCjkRuns,
    split(
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Steps kSpark = {
    split(R"(\p{N}{1,3})"), kCjkRuns,
    split(
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)"),
    kDigits};
constexpr Step kDeepSeekCjk = split("[一-龥ࠀ-一가-퟿]+");
constexpr Steps kDeepSeekCoder = {split(R"([\r\n])"), split(R"(\s?\p{L}+)"), split(R"(\s?\p{P}+)"), kDeepSeekCjk,
                                  kDigits};
constexpr Step kDeepSeekLetters = split(
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-"
    "ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]"
    "+");
constexpr Step kDeepSeekPunctuation = split("\\s?[!-/:-~！-／：-～‘-‟　-。]+");
constexpr Steps kDeepSeekLlm = {split(R"([\r\n])"), kDeepSeekLetters, kDeepSeekPunctuation,
                                split(R"(\s+$)"),   kDeepSeekCjk,     kDigitRuns};
constexpr Steps kDeepSeekLlmDigits = {split(R"([\r\n])"), kDeepSeekLetters, kDeepSeekPunctuation,
                                      split(R"(\s+$)"),   kDeepSeekCjk,     kDigits};
constexpr Step kYoutuEastAsian =
    split("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+");
constexpr Steps kYoutu = {
    kYoutuEastAsian,
    split(
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Step kBloomWords = split(" ?[^(\\s|.,!?…。，、।۔،)]+");
constexpr Steps kBloom = {kBloomWords};
constexpr Steps kBloomNested = {split(" ?[^(\\s|[.,!?…。，、।۔،])]+")};  // as BLOOM's file has it; it means the same
constexpr Steps kViking = {kBloomWords, kDigits};
constexpr Steps kVikingNested = {split(" ?[^(\\s|[.,!?…。，、।۔،])]+"), kDigits};
constexpr Steps kBailingMoe = {split(
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr Steps kSeedCoder = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Steps kJais2 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})")};
constexpr Steps kExaoneMoe = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr Steps kMiniCpm5 = {
    split(R"(\p{N}{1,3})"),
    split(
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Steps kLaguna = {split(R"([^\n]+|[\n]+)"), kQwen2[0]};
constexpr Steps kUfakzeka = {
    split(R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr Steps kSuperBpe = {kDigitRuns, split(R"((?=(\d{3})+(?!\d)))")};
constexpr Steps kChameleon = {split("<sentinel:[0-9]+>"),       split("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"),
                              split(R"(([\t\n]|    |  ))"),     kDigits,
                              split(R"([\p{P}!-/:-@\[-`{-~])"), kBytesGpt2};
constexpr Steps kWhole = {};

struct Row {
  std::string_view name;
  const Steps& steps;
  bool nfc = false;  ///< the models' tokenizers compose characters first; llama.cpp leaves texts as they are
  bool ignore_merges = false, adds_bos = false;
  bool byte_level = true;
};

/// One row a name. Of rows with equal steps the first one is written.
constexpr std::array kRows = {
    Row{.name = "gpt-2", .steps = kGpt2Steps},
    Row{.name = "olmo", .steps = kGpt2Steps, .nfc = true},
    Row{.name = "mpt", .steps = kGpt2Steps, .nfc = true},
    Row{.name = "modern-bert", .steps = kGpt2Steps, .nfc = true},
    Row{.name = "phi-2", .steps = kGpt2Steps},
    Row{.name = "jais", .steps = kGpt2Steps},
    Row{.name = "jina-es", .steps = kGpt2Steps},
    Row{.name = "jina-de", .steps = kGpt2Steps},
    Row{.name = "jina-v1-en", .steps = kGpt2Steps},
    Row{.name = "jina-v2-es", .steps = kGpt2Steps},
    Row{.name = "jina-v2-de", .steps = kGpt2Steps},
    Row{.name = "jina-v2-code", .steps = kGpt2Steps},
    Row{.name = "roberta-bpe", .steps = kGpt2Steps},
    Row{.name = "gigachat", .steps = kGpt2Steps},
    Row{.name = "a.x-4.0", .steps = kGpt2Steps},
    Row{.name = "mellum", .steps = kGpt2Steps},
    Row{.name = "exaone4", .steps = kGpt2Steps},
    Row{.name = "trillion", .steps = kGpt2Steps},
    Row{.name = "granite-docling", .steps = kGpt2Steps},
    Row{.name = "smollm", .steps = kDigitsGpt2},
    Row{.name = "command-r", .steps = kDigitsGpt2, .nfc = true},
    Row{.name = "starcoder", .steps = kDigitsGpt2},
    Row{.name = "refact", .steps = kDigitsGpt2},
    Row{.name = "codeshell", .steps = kDigitsGpt2},
    Row{.name = "exaone", .steps = kDigitsGpt2},
    Row{.name = "minerva-7b", .steps = kDigitsGpt2},
    Row{.name = "mellum2", .steps = kDigitsGpt2},
    Row{.name = "llama-bpe", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "dbrx", .steps = kLlama3},
    Row{.name = "llama3", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "llama-v3", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "falcon3", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "falcon-h1", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "pixtral", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "midm-2.0", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "lfm2", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "jina-v5-nano", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    Row{.name = "glm4", .steps = kLlama3, .ignore_merges = true},
    Row{.name = "glm5", .steps = kLlama3, .ignore_merges = true},
    Row{.name = "chatglm-bpe", .steps = kLlama3},
    Row{.name = "smaug-bpe", .steps = kLlama3},
    Row{.name = "qwen2", .steps = kQwen2, .nfc = true},
    Row{.name = "stablelm2", .steps = kQwen2},
    Row{.name = "deepseek-r1-qwen", .steps = kQwen2, .nfc = true},
    Row{.name = "megrez", .steps = kQwen2, .nfc = true},
    Row{.name = "kormo", .steps = kQwen2},
    Row{.name = "f2llmv2", .steps = kQwen2, .nfc = true},
    Row{.name = "hunyuan", .steps = kQwen2},
    Row{.name = "solar-open", .steps = kQwen2},
    Row{.name = "grok-2", .steps = kQwen2},
    Row{.name = "qwen35", .steps = kQwen35, .nfc = true},
    Row{.name = "tekken", .steps = kTekken, .ignore_merges = true, .adds_bos = true},
    Row{.name = "gpt-4o", .steps = kGpt4o},
    Row{.name = "granite-embed-multi-97m", .steps = kGpt4o, .ignore_merges = true},
    Row{.name = "llama4", .steps = kGpt4o},
    Row{.name = "kanana2", .steps = kGpt4o},
    Row{.name = "talkie", .steps = kGpt4o},
    Row{.name = "minimax-m2", .steps = kGpt4o},
    Row{.name = "tiny_aya", .steps = kTinyAya},
    Row{.name = "cohere2moe", .steps = kTinyAya},
    Row{.name = "kimi-k2", .steps = kKimi},
    Row{.name = "deepseek-v3", .steps = kDeepSeekV3},
    Row{.name = "hunyuan-dense", .steps = kDeepSeekV3},
    Row{.name = "joyai-llm", .steps = kDeepSeekV3},
    Row{.name = "hy_v4", .steps = kDeepSeekV3},
    Row{.name = "spark2_5", .steps = kSpark},
    Row{.name = "deepseek-coder", .steps = kDeepSeekCoder},
    Row{.name = "deepseek-llm", .steps = kDeepSeekLlm},
    Row{.name = "deepseek-llm", .steps = kDeepSeekLlmDigits},
    Row{.name = "youtu", .steps = kYoutu, .ignore_merges = true},
    Row{.name = "falcon", .steps = kFalcon},
    Row{.name = "default", .steps = kFalcon},
    Row{.name = "bloom", .steps = kBloom},
    Row{.name = "bloom", .steps = kBloomNested},
    Row{.name = "poro-chat", .steps = kBloom},
    Row{.name = "gpt3-finnish", .steps = kBloom},
    Row{.name = "viking", .steps = kViking},
    Row{.name = "viking", .steps = kVikingNested},
    Row{.name = "bailingmoe", .steps = kBailingMoe},
    Row{.name = "bailingmoe2", .steps = kBailingMoe},
    Row{.name = "llada-moe", .steps = kBailingMoe},
    Row{.name = "seed-coder", .steps = kSeedCoder},
    Row{.name = "jais-2", .steps = kJais2},
    Row{.name = "exaone-moe", .steps = kExaoneMoe},
    Row{.name = "minicpm5", .steps = kMiniCpm5, .ignore_merges = true},
    Row{.name = "laguna", .steps = kLaguna},
    Row{.name = "ufakzeka", .steps = kUfakzeka},
    Row{.name = "superbpe", .steps = kSuperBpe},
    Row{.name = "chameleon", .steps = kChameleon, .adds_bos = true},
    Row{.name = "gemma4", .steps = kWhole, .adds_bos = true, .byte_level = false},
    Row{.name = "granite-embed-multi-311m", .steps = kWhole, .byte_level = false},
    Row{.name = "sarvam-moe", .steps = kWhole, .byte_level = false},
};

std::string known_names() {
  std::string names;
  for (const Row& row : kRows) {
    if (names.find(fmt::format("{},", row.name)) == std::string::npos) {
      names += fmt::format("{}, ", row.name);
    }
  }
  names.resize(names.size() - 2);
  return names;
}

PreTokenizer make_step(const Step& step) {
  switch (step.kind) {
    case Step::Kind::digits:
      return pre_tokenizers::Digits{.individual = true};
    case Step::Kind::digit_runs:
      return pre_tokenizers::Digits{.individual = false};
    case Step::Kind::punctuation_runs:
      return pre_tokenizers::Punctuation{.behavior = SplitBehavior::contiguous};
    case Step::Kind::bytes_gpt2:
      return pre_tokenizers::ByteLevel{.add_prefix_space = false, .use_regex = true};
    case Step::Kind::split:
    case Step::Kind::none:
      break;
  }
  return pre_tokenizers::Split{.pattern = {.kind = TextPattern::Kind::regex, .text = std::string(step.pattern)}};
}

bool has_bytes(std::span<const Step> steps) {
  return std::ranges::find(steps, Step::Kind::bytes_gpt2, &Step::kind) != steps.end();
}

std::vector<PreTokenizer> make_steps(const Row& row) {
  std::vector<PreTokenizer> out;
  for (const Step& step : row.steps) {
    if (step.kind != Step::Kind::none) {
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

/// Line ends that stand in a pattern as they are, and ways to write English endings of either case.
std::string canonical_pattern(std::string pattern) {
  replace_all(pattern, "\r", "\\r");
  replace_all(pattern, "\n", "\\n");
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

  const std::vector<Step>& steps() const { return steps_; }

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
      steps_.push_back(kPunctuationRuns);
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
    if (pattern == kGpt2) {
      steps_.push_back(kBytesGpt2);
      is_split_gpt2_ = true;
    } else {
      steps_.push_back(pattern == R"(\p{N})" ? kDigits : pattern == R"(\p{N}+)" ? kDigitRuns : split(pattern));
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

  std::vector<Step> steps_;
  std::vector<std::string> texts_;
  bool byte_level_ = false, matches_ = true, is_split_gpt2_ = false;
};

bool is_same(const Steps& row, std::span<const Step> steps) {
  const auto end = std::ranges::find(row, Step::Kind::none, &Step::kind);
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
  for (const PreTokenizer& step : steps) {
    parts.push_back(describe(step));
  }
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

/// Whether digits may be cut off first although the file does not: merging never joins one with anything.
bool leaves_digits_alone(const Vocabulary& vocabulary) {
  const auto* bytes = std::get_if<pre_tokenizers::ByteLevel>(&vocabulary.pre_tokenizers.front());
  return (bytes == nullptr || !bytes->add_prefix_space) &&
         std::ranges::none_of(vocabulary.merges, [&](const Vocabulary::Merge& merge) {
           const std::string& text = vocabulary.tokens[static_cast<size_t>(merge.merged)].text;
           return text.find_first_of("0123456789") != std::string::npos;
         });
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
const Row* find_row(std::span<const Step> steps, bool nfc, bool ignore_merges) {
  const Row* best = nullptr;
  int most = -1;
  for (const Row& row : kRows) {
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
  const auto* row = std::ranges::find(kRows, name, &Row::name);
  if (row == kRows.end()) {
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
  std::vector<Step> steps = canonical.steps();
  if (steps == std::vector<Step>{kBytesGpt2} && leaves_digits_alone(vocabulary)) {
    steps.insert(steps.begin(), kDigits);
  }
  if (const Row* row = is_known ? find_row(steps, nfc, vocabulary.ignore_merges) : nullptr) {
    return row->name;
  }
  throw Error(
      Kind::unsupported,
      "llama.cpp has no name for the way in which the tokenizer cuts texts ({}); the names that terse knows are "
      "{}",
      describe(vocabulary.pre_tokenizers), known_names());
}

}  // namespace terse::gguf
