#include "formats/tokenizer_json.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "formats/error.h"

namespace terse {
namespace {

constexpr const char* kValid = R"({
  "added_tokens": [{"id": 4, "content": "<s>", "special": true}],
  "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
  "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
                     "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "u": 3}, "merges": [["a", "b"]], "unk_token": "u"}
})";

std::string patched(const std::string& patch) {
  auto document = nlohmann::json::parse(kValid);
  document.merge_patch(nlohmann::json::parse(patch));
  return document.dump();
}

TEST_SUITE("formats/tokenizer_json") {
  TEST_CASE("a file is read part by part") {
    const Vocabulary vocabulary = read_tokenizer_json(kValid);
    CHECK(vocabulary.model == TokenizerModel::bpe);
    REQUIRE(vocabulary.tokens.size() == 4);
    CHECK(vocabulary.tokens[2].text == "ab");
    REQUIRE(vocabulary.merges.size() == 1);
    CHECK(vocabulary.merges[0].merged == 2);
    CHECK(vocabulary.unknown == 3);
    CHECK(vocabulary.prefix == std::vector<int32_t>{4});
    CHECK(vocabulary.normalizers.size() == 2);
    CHECK(vocabulary.pre_tokenizers.size() == 1);
  }

  TEST_CASE("older files write merges as texts") {
    CHECK(read_tokenizer_json(patched(R"({"model": {"merges": ["a b"]}})")).merges[0].merged == 2);
  }

  TEST_CASE("a broken file is one error that names the place") {
    struct Row {
      const char *patch, *message;
    };
    for (const Row& row : {
             Row{R"({"model": 3})", "model: found a number, expected an object"},
             Row{R"({"model": null})", "'model' is missing"},
             Row{R"({"model": {"vocab": []}})", "model.vocab: found an array, expected an object"},
             Row{R"({"model": {"vocab": {"c": -1}}})", "-1 is not from 0"},
             Row{R"({"model": {"vocab": {"c": 4000000000}}})", "4000000000 is not from 0"},
             Row{R"({"model": {"vocab": {"c": 18446744073709551615}}})", "is not from 0"},
             Row{R"({"model": {"vocab": {"c": 1.5}}})", "expected a whole number"},
             Row{R"({"model": {"vocab": {"c": 1}}})", "id 1 belongs to"},
             Row{R"({"model": {"merges": [["a"]]}})", "model.merges[0]: found 1 elements"},
             Row{R"({"model": {"merges": ["a b c"]}})", "expected two tokens"},
             Row{R"({"model": {"merges": [["b", "a"]]}})", "token 'ba' is not in the vocabulary"},
             Row{R"({"model": {"type": "Unigram", "vocab": [["a"]]}})", "model.vocab[0]"},
             Row{R"({"model": {"type": "Unigram", "vocab": [["a", 0.5]], "unk_id": 7}})", "unknown token has id 7"},
             Row{R"({"added_tokens": [{"id": 7, "content": "a"}]})", "'a' has id 7, but id 0"},
             Row{R"({"added_tokens": [{"id": 7, "content": "x"}, {"id": 7, "content": "y"}]})", "id 7 belongs to"},
             Row{R"({"added_tokens": []})", "has id 4, which no token has"},
             Row{R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "*"}})", "base64"},
             Row{R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "ab"}})", "expected one character"},
             Row{R"({"post_processor": {"single": []}})", "the text occurs 0 times"},
             Row{R"({"post_processor": {"type": "Odd"}})", "does not know the type 'Odd'"},
         }) {
      CAPTURE(row.patch);
      CHECK_THROWS_WITH_AS(read_tokenizer_json(patched(row.patch)), doctest::Contains(row.message), Error);
    }
  }

  TEST_CASE("nesting has an end") {
    std::string deep = R"({"type": "NFC"})";
    for (int i = 0; i < 10; ++i) {
      deep = R"({"type": "Sequence", "normalizers": [)" + deep + "]}";
    }
    CHECK_THROWS_AS(read_tokenizer_json(patched(R"({"normalizer": )" + deep + "}")), Error);
    CHECK_THROWS_AS(read_tokenizer_json(std::string(100000, '[')), Error);
  }

  TEST_CASE("every truncation of a file is an error") {
    const std::string_view whole = kValid;
    for (size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      CHECK_THROWS_AS(read_tokenizer_json(whole.substr(0, length)), Error);
    }
  }
}

}  // namespace
}  // namespace terse
