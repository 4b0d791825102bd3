#include "formats/gguf/tokenizer_reader.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/tokenizer_json.h"

namespace terse::gguf {
namespace {

using Texts = std::vector<std::string>;
using Types = std::vector<int32_t>;

MetadataArray array_of(auto values) { return MetadataArray{std::move(values)}; }

/// A byte-level BPE of few tokens.
Metadata small_bpe() {
  Metadata out;
  out.set("tokenizer.ggml.model", std::string("gpt2"));
  out.set("tokenizer.ggml.pre", std::string("gpt-2"));
  out.set("tokenizer.ggml.tokens", array_of(Texts{"a", "b", "ab", "<s>", "[PAD4]"}));
  out.set("tokenizer.ggml.token_type", array_of(Types{1, 1, 1, 3, 5}));
  out.set("tokenizer.ggml.merges", array_of(Texts{"a b"}));
  out.set("tokenizer.ggml.bos_token_id", uint32_t{3});
  out.set("tokenizer.ggml.add_bos_token", true);
  return out;
}

Metadata small_pieces() {
  Metadata out;
  out.set("tokenizer.ggml.model", std::string("llama"));
  out.set("tokenizer.ggml.tokens", array_of(Texts{"<unk>", "<s>", "</s>", "<0x41>", "\u2581", "a", "\u2581a", "<x>"}));
  out.set("tokenizer.ggml.scores", array_of(std::vector<float>{0, 0, 0, 0, -2, -3, -1, -1000}));
  out.set("tokenizer.ggml.token_type", array_of(Types{2, 3, 3, 6, 1, 1, 1, 4}));
  return out;
}

std::string error_of(const Metadata& metadata) {
  try {
    read_tokenizer(metadata);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_SUITE("formats/gguf/tokenizer_reader") {
  TEST_CASE("a byte pair encoding is read with its merges, special tokens and the way to cut texts") {
    const Vocabulary vocabulary = read_tokenizer(small_bpe());
    CHECK(vocabulary.model == TokenizerModel::bpe);
    REQUIRE(vocabulary.tokens.size() == 5);
    CHECK(vocabulary.tokens[4].text.empty());  // the converter's padding: no text has this id
    REQUIRE(vocabulary.merges.size() == 1);
    CHECK(vocabulary.merges[0].merged == 2);
    CHECK(vocabulary.prefix == std::vector<int32_t>{3});
    CHECK(vocabulary.suffix.empty());
    REQUIRE(vocabulary.added.size() == 1);
    CHECK(vocabulary.added[0].special);
    REQUIRE(vocabulary.pre_tokenizers.size() == 1);
    CHECK(std::get<pre_tokenizers::ByteLevel>(vocabulary.pre_tokenizers[0]).use_regex);
  }

  TEST_CASE("SentencePiece's tokens keep scores and kinds, and llama.cpp's ids stand in for absent ones") {
    const Vocabulary vocabulary = read_tokenizer(small_pieces());
    CHECK(vocabulary.model == TokenizerModel::sentencepiece_bpe);
    CHECK(vocabulary.tokens[6].score == -1);
    CHECK(vocabulary.byte_fallback);
    CHECK(vocabulary.unknown == 0);
    CHECK(vocabulary.prefix == std::vector<int32_t>{1});
    REQUIRE(vocabulary.added.size() == 4);
    CHECK_FALSE(vocabulary.added[3].special);
    CHECK(std::get<normalizers::SentencePiece>(vocabulary.normalizers[0]).add_dummy_prefix);
  }

  TEST_CASE("WordPiece's tokens get their marks back") {
    Metadata metadata;
    metadata.set("tokenizer.ggml.model", std::string("bert"));
    metadata.set("tokenizer.ggml.tokens",
                 array_of(Texts{"[UNK]", "[CLS]", "[SEP]", "\u2581un", "able", "\u2581[PAD5]"}));
    metadata.set("tokenizer.ggml.token_type", array_of(Types{3, 3, 3, 1, 1, 5}));
    metadata.set("tokenizer.ggml.unknown_token_id", uint32_t{0});
    metadata.set("tokenizer.ggml.bos_token_id", uint32_t{1});
    metadata.set("tokenizer.ggml.seperator_token_id", uint32_t{2});
    const Vocabulary vocabulary = read_tokenizer(metadata);
    CHECK(vocabulary.tokens[3].text == "un");
    CHECK(vocabulary.tokens[4].text == "##able");
    CHECK(vocabulary.tokens[5].text.empty());
    CHECK(vocabulary.prefix == std::vector<int32_t>{1});
    CHECK(vocabulary.suffix == std::vector<int32_t>{2});
  }

  TEST_CASE("of equal tokens the last one counts") {
    Metadata metadata = small_bpe();
    metadata.set("tokenizer.ggml.tokens", array_of(Texts{"a", "b", "ab", "<s>", "ab"}));
    CHECK(read_tokenizer(metadata).merges[0].merged == 4);
  }

  TEST_CASE("metadata that contradicts itself is an error that names the key") {
    struct Row {
      const char* key;
      MetadataValue value;
      const char* message;
    };
    for (const Row& row : {
             Row{"tokenizer.ggml.model", uint32_t{1}, "'tokenizer.ggml.model' is of type u32, expected string"},
             Row{"tokenizer.ggml.model", std::string("rwkv"), "does not know the tokenizer model 'rwkv', only gpt2"},
             Row{"tokenizer.ggml.model", std::string("plamo2"), "does not know the tokenizer model 'plamo2'"},
             Row{"tokenizer.ggml.model", std::string("none"), "does not know the tokenizer model 'none'"},
             Row{"tokenizer.ggml.pre", std::string("no-such"), "does not know the pre-tokenizer 'no-such', only gpt-2"},
             Row{"tokenizer.ggml.tokens", std::string("a"),
                 "'tokenizer.ggml.tokens' is of type string, expected array"},
             Row{"tokenizer.ggml.tokens", array_of(Types{1}), "is of type array of i32, expected an array of string"},
             Row{"tokenizer.ggml.tokens", array_of(Texts{"a"}),
                 "'tokenizer.ggml.token_type' has 5 elements, expected 1"},
             Row{"tokenizer.ggml.tokens", array_of(Texts{"a", "\xff", "", "", ""}), "token 1 is not UTF-8"},
             Row{"tokenizer.ggml.token_type", array_of(Types{1}), "has 1 elements, expected 5"},
             Row{"tokenizer.ggml.token_type", array_of(Texts{"a"}), "expected an array of i32"},
             Row{"tokenizer.ggml.scores", array_of(std::vector<float>{1}), "has 1 elements, expected 5"},
             Row{"tokenizer.ggml.scores", array_of(std::vector<float>{0, 0, std::nanf(""), 0, 0}), "has the score nan"},
             Row{"tokenizer.ggml.merges", array_of(Texts{"ab"}), "merge 0 is 'ab', expected two tokens"},
             Row{"tokenizer.ggml.merges", array_of(Texts{"a c"}), "merge 0 is 'a c', and 'c' is no token"},
             Row{"tokenizer.ggml.merges", array_of(Texts{"b a"}), "'ba' is no token"},
             Row{"tokenizer.ggml.bos_token_id", uint32_t{5}, "is 5, which is no token's id (5 tokens)"},
             Row{"tokenizer.ggml.bos_token_id", true, "expected an integer"},
             Row{"tokenizer.ggml.add_bos_token", uint8_t{1}, "is of type u8, expected bool"},
         }) {
      CAPTURE(row.message);
      Metadata metadata = small_bpe();
      metadata.set(row.key, row.value);
      CHECK(error_of(metadata).find(row.message) != std::string::npos);
    }
    Metadata metadata = small_bpe();
    metadata.erase("tokenizer.ggml.merges");
    CHECK(error_of(metadata).find("'tokenizer.ggml.merges' is missing") != std::string::npos);
    metadata.erase("tokenizer.ggml.tokens");
    CHECK(error_of(metadata).find("'tokenizer.ggml.tokens' is missing") != std::string::npos);
    CHECK(error_of(Metadata{}).find("'tokenizer.ggml.model' is missing") != std::string::npos);
  }

  TEST_CASE("a file without a tokenizer says so") {
    CHECK_FALSE(has_tokenizer(Metadata{}));
    Metadata metadata;
    metadata.set("tokenizer.ggml.model", std::string("none"));
    CHECK_FALSE(has_tokenizer(metadata));
    CHECK(has_tokenizer(small_bpe()));
  }

  TEST_CASE("special tokens and the chat template are settings of text") {
    Metadata metadata = small_bpe();
    metadata.set("general.architecture", std::string("llama"));
    metadata.set("llama.context_length", uint32_t{77});
    metadata.set("tokenizer.ggml.eos_token_id", uint32_t{2});
    metadata.set("tokenizer.chat_template", std::string("{{ messages }}"));
    const TextSettings settings = read_text_settings(metadata);
    CHECK(settings.special_tokens.at("bos_token") == "<s>");
    CHECK(settings.end_tokens == std::vector<int64_t>{2});
    CHECK(settings.chat_template == "{{ messages }}");
    CHECK(settings.max_tokens == 77);
  }

  TEST_CASE("a checkpoint's files say the same as the metadata") {
    Metadata metadata = small_pieces();
    metadata.set("tokenizer.chat_template", std::string("{{ messages }}"));
    metadata.set("tokenizer.ggml.eos_token_id", uint32_t{2});
    const std::vector<TextFile> files = tokenizer_files(metadata);
    REQUIRE(files.size() == 3);
    CHECK(files[0].name == "tokenizer.json");
    const Vocabulary vocabulary = read_tokenizer_json(files[0].text);
    CHECK(vocabulary.model == TokenizerModel::bpe);
    CHECK(vocabulary.byte_fallback);
    REQUIRE(vocabulary.merges.size() == 1);  // "▁" and "a" make "▁a"
    CHECK(vocabulary.merges[0].merged == 6);
    CHECK(vocabulary.prefix == std::vector<int32_t>{1});
    CHECK(vocabulary.added.size() == 4);
    CHECK(nlohmann::json::parse(files[1].text)["eos_token"] == "</s>");
    CHECK(files[2].text == "{{ messages }}");
  }
}

}  // namespace
}  // namespace terse::gguf
