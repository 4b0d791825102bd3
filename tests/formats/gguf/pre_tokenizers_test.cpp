#include "formats/gguf/pre_tokenizers.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse::gguf {
namespace {

using pre_tokenizers::ByteLevel;
using pre_tokenizers::Digits;
using pre_tokenizers::Punctuation;
using pre_tokenizers::Split;

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

Split split(std::string pattern) { return {.pattern = {.kind = TextPattern::Kind::regex, .text = std::move(pattern)}}; }

const ByteLevel kBytes{.add_prefix_space = false, .use_regex = false};
const ByteLevel kBytesGpt2{.add_prefix_space = false, .use_regex = true};

/// A vocabulary whose merges join digits, as few of a small one do.
Vocabulary vocabulary_of(std::vector<PreTokenizer> steps) {
  Vocabulary out;
  out.tokens = {{.text = "1"}, {.text = "11"}};
  out.merges = {{.left = 0, .right = 0, .merged = 1}};
  out.pre_tokenizers = std::move(steps);
  return out;
}

std::string_view name_of(std::vector<PreTokenizer> steps) {
  return find_pre_tokenizer_name(vocabulary_of(std::move(steps)));
}

TEST_SUITE("formats/gguf/pre_tokenizers") {
  TEST_CASE("ways to cut texts have the names that llama.cpp gives to their models") {
    CHECK(name_of({kBytesGpt2}) == "gpt-2");
    CHECK(name_of({split(kGpt2), kBytes}) == "gpt-2");
    CHECK(name_of({Digits{.individual = true}, kBytesGpt2}) == "smollm");
    CHECK(name_of({split(R"(\p{N})"), kBytesGpt2}) == "smollm");
    CHECK(name_of({Punctuation{.behavior = SplitBehavior::contiguous}, kBytesGpt2, Digits{.individual = false},
                   split("[0-9][0-9][0-9]")}) == "falcon");
    CHECK(name_of({split(kLlama3), kBytes}) == "dbrx");
    CHECK(name_of({split(kQwen2), kBytes}) == "stablelm2");
  }

  TEST_CASE("what else a name says decides between equal ways to cut") {
    Vocabulary vocabulary = vocabulary_of({split(kLlama3), kBytes});
    vocabulary.ignore_merges = true;
    CHECK(find_pre_tokenizer_name(vocabulary) == "llama-bpe");
    vocabulary = vocabulary_of({split(kQwen2), kBytes});
    vocabulary.normalizers = {normalizers::Unicode{normalizers::Form::nfc}};
    CHECK(find_pre_tokenizer_name(vocabulary) == "qwen2");
    vocabulary.pre_tokenizers = {kBytesGpt2};
    CHECK(find_pre_tokenizer_name(vocabulary) == "olmo");
  }

  TEST_CASE("of many merges none joins a digit: they were cut off first when the tokenizer was trained") {
    Vocabulary vocabulary = vocabulary_of({kBytesGpt2});
    vocabulary.tokens.push_back({.text = "ab"});
    vocabulary.merges.assign(20'000, {.merged = 2});
    CHECK(find_pre_tokenizer_name(vocabulary) == "smollm");
    vocabulary.merges.push_back({.merged = 1});
    CHECK(find_pre_tokenizer_name(vocabulary) == "gpt-2");
  }

  TEST_CASE("spellings of one pattern are one") {
    std::string pattern = kLlama3;
    for (size_t at = pattern.find("\\r\\n"); at != std::string::npos; at = pattern.find("\\r\\n")) {
      pattern.replace(at, 4, "\r\n");
    }
    CHECK(name_of({split(pattern), kBytes}) == "dbrx");
    CHECK(name_of({Split{.pattern = split(kLlama3).pattern, .behavior = SplitBehavior::removed, .invert = true},
                   kBytes}) == "dbrx");
  }

  TEST_CASE("an unknown way is an error that shows it and the known names") {
    const std::vector<std::vector<PreTokenizer>> unknown = {
        {split("x+"), kBytes},
        {kBytesGpt2, kBytes},
        {split(kLlama3)},
        {Split{.pattern = split(kLlama3).pattern, .behavior = SplitBehavior::removed}, kBytes},
        {pre_tokenizers::Whitespace{}, kBytes},
        {Digits{.individual = true}, ByteLevel{.add_prefix_space = true, .use_regex = true}},
    };
    for (const auto& steps : unknown) {
      CHECK_THROWS_WITH_AS(name_of(steps), doctest::Contains("llama.cpp has no name"), Error);
    }
    CHECK_THROWS_WITH_AS(name_of({split("x+"), kBytes}), doctest::Contains("Split 'x+', ByteLevel"), Error);
    Vocabulary lower = vocabulary_of({kBytesGpt2});
    lower.normalizers = {normalizers::Lowercase{}};
    CHECK_THROWS_WITH_AS(find_pre_tokenizer_name(lower), doctest::Contains("no normalizer but NFC"), Error);
    CHECK_THROWS_WITH_AS(get_pre_tokenizer("x"), doctest::Contains("pre-tokenizer 'x', only gpt-2, olmo"), Error);
  }

  TEST_CASE("a name and the way to cut that it stands for lead to each other") {
    for (const char* name :
         {"gpt-2",        "olmo",     "smollm", "command-r", "llama-bpe", "dbrx",        "qwen2",      "stablelm2",
          "qwen35",       "tekken",   "gpt-4o", "tiny_aya",  "kimi-k2",   "deepseek-v3", "spark2_5",   "deepseek-coder",
          "deepseek-llm", "youtu",    "falcon", "bloom",     "viking",    "bailingmoe",  "seed-coder", "jais-2",
          "exaone-moe",   "minicpm5", "laguna", "ufakzeka",  "superbpe",  "chameleon"}) {
      CAPTURE(name);
      PreTokenizerRule rule = get_pre_tokenizer(name);
      Vocabulary vocabulary = vocabulary_of(std::move(rule.pre_tokenizers));
      vocabulary.normalizers = std::move(rule.normalizers);
      vocabulary.ignore_merges = rule.ignore_merges;
      CHECK(find_pre_tokenizer_name(vocabulary) == name);
    }
  }
}

}  // namespace
}  // namespace terse::gguf
