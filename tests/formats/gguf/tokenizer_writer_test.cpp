#include "formats/gguf/tokenizer_writer.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::gguf {
namespace {

/// A byte-level BPE of four tokens and three added ones, the last of which has a gap before it.
constexpr const char* kTokenizer = R"({
  "added_tokens": [{"id": 4, "content": "<s>", "special": true, "normalized": false},
                   {"id": 5, "content": "<|x|>", "normalized": false},
                   {"id": 7, "content": "▁w", "normalized": false}],
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
  "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
                     "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "</s>": 3}, "merges": [["a", "b"]]}
})";

/// A checkpoint folder whose files are changed by patches.
struct Folder {
  explicit Folder(const std::string& tokenizer = "{}", const std::string& config = "{}") {
    auto document = nlohmann::json::parse(kTokenizer);
    document.merge_patch(nlohmann::json::parse(tokenizer));
    std::ofstream(folder.path() / "tokenizer.json") << document.dump();
    std::ofstream(folder.path() / "tokenizer_config.json") << config;
  }

  Metadata metadata(int64_t rows = 10, const std::string& config = "{}") const {
    const nlohmann::json document = nlohmann::json::parse(config);
    Metadata out;
    write_tokenizer(folder.path(), JsonField(document, ""), rows, out);
    return out;
  }

  TemporaryFolder folder;
};

template <typename T>
std::vector<T> values(const Metadata& metadata, std::string_view key) {
  return std::get<std::vector<T>>(metadata.find_array(key)->values);
}

TEST_SUITE("formats/gguf/tokenizer_writer") {
  TEST_CASE("each row of the table has a token and a type") {
    const Metadata metadata = Folder().metadata();
    CHECK(metadata.find_string("tokenizer.ggml.model") == "gpt2");
    CHECK(metadata.find_string("tokenizer.ggml.pre") == "gpt-2");
    CHECK(values<std::string>(metadata, "tokenizer.ggml.tokens") ==
          std::vector<std::string>{"a", "b", "ab", "</s>", "<s>", "<|x|>", "[PAD6]", " w", "[PAD8]", "[PAD9]"});
    CHECK(values<int32_t>(metadata, "tokenizer.ggml.token_type") ==
          std::vector<int32_t>{1, 1, 1, 1, 3, 3, 5, 4, 5, 5});  // "<|x|>" looks like a control token
    CHECK(values<std::string>(metadata, "tokenizer.ggml.merges") == std::vector<std::string>{"a b"});
  }

  TEST_CASE("added tokens beyond the table are left out, others are an error") {
    CHECK(values<std::string>(Folder().metadata(5), "tokenizer.ggml.tokens").size() == 5);
    CHECK_THROWS_WITH_AS(Folder().metadata(3), doctest::Contains("has 4 tokens, but the model's table only 3 rows"),
                         Error);
  }

  TEST_CASE("special tokens are those of tokenizer_config.json, or else ids of config.json") {
    const Folder folder("{}", R"({"eos_token": {"content": "</s>"}, "pad_token": "<|x|>"})");
    const Metadata metadata =
        folder.metadata(10, R"({"pad_token_id": 1, "text_config": {"mask_token_id": 2}, "sep_token_id": 99})");
    CHECK(metadata.find_integer("tokenizer.ggml.bos_token_id") == 4);  // what the tokenizer puts in front
    CHECK(metadata.find_integer("tokenizer.ggml.eos_token_id") == 3);
    CHECK(metadata.find_integer("tokenizer.ggml.padding_token_id") == 5);
    CHECK(metadata.find_integer("tokenizer.ggml.mask_token_id") == 2);
    CHECK_FALSE(metadata.find_integer("tokenizer.ggml.seperator_token_id").has_value());
    CHECK(metadata.find_bool("tokenizer.ggml.add_bos_token") == true);
    CHECK_FALSE(metadata.find_bool("tokenizer.ggml.add_eos_token").has_value());
  }

  TEST_CASE("a text's last token is its end, and what ended it before ends a turn") {
    const Folder folder(
        R"({"post_processor": {"single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<s>"}}]}})",
        R"({"eos_token": "</s>", "cls_token": "a"})");
    const Metadata metadata = folder.metadata();
    CHECK(metadata.find_integer("tokenizer.ggml.bos_token_id") == 0);
    CHECK(metadata.find_integer("tokenizer.ggml.eos_token_id") == 4);
    CHECK(metadata.find_integer("tokenizer.ggml.eot_token_id") == 3);
    CHECK(metadata.find_bool("tokenizer.ggml.add_bos_token") == false);
    CHECK(metadata.find_bool("tokenizer.ggml.add_eos_token") == true);
  }

  TEST_CASE("more than one token around a text is refused") {
    const Folder folder(
        R"({"post_processor": {"single": [{"SpecialToken": {"id": "<s>"}}, {"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]}})");
    CHECK_THROWS_WITH_AS(folder.metadata(), doctest::Contains("puts 2 tokens in front of a text"), Error);
  }

  TEST_CASE("the chat template comes along") {
    const Folder folder("{}", R"({"chat_template": "{{ messages }}"})");
    CHECK(folder.metadata().find_string("tokenizer.chat_template") == "{{ messages }}");
  }

  TEST_CASE("tokens that are looked for beside a SentencePiece model have ids") {
    const Folder folder("{}", R"({"added_tokens_decoder": {"x": {"content": "<x>"}}})");
    std::filesystem::remove(folder.folder.path() / "tokenizer.json");
    std::filesystem::copy(std::filesystem::path(TERSE_TESTDATA) / "tokenizers/llama.model",
                          folder.folder.path() / "tokenizer.model");
    CHECK_THROWS_WITH_AS(folder.metadata(600), doctest::Contains("added_tokens_decoder: found the id 'x'"), Error);
    std::ofstream(folder.folder.path() / "tokenizer_config.json")
        << R"({"added_tokens_decoder": {"500": {"content": "<x>"}, "1": {"content": "<s>", "special": true}}})";
    const Metadata metadata = folder.metadata(600);
    CHECK(values<std::string>(metadata, "tokenizer.ggml.tokens")[500] == "<x>");
    CHECK(values<int32_t>(metadata, "tokenizer.ggml.token_type")[500] == 4);
    CHECK(values<float>(metadata, "tokenizer.ggml.scores")[500] == -1000);
    CHECK(values<float>(metadata, "tokenizer.ggml.scores")[599] == -10000);
  }
}

}  // namespace
}  // namespace terse::gguf
