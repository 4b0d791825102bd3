#include "formats/tokenizer_json_writer.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/huggingface_form.h"
#include "formats/tokenizer_json.h"

namespace terse {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(TERSE_TESTDATA) / "tokenizers";

TEST_SUITE("formats/tokenizer_json_writer") {
  TEST_CASE("what Hugging Face's library wrote is written again, but for what moves offsets only") {
    for (const char* name :
         {"byte_level.json", "added.json", "byte_fallback.json", "metaspace.json", "unigram.json", "wordlevel.json"}) {
      CAPTURE(name);
      const std::string text = read_text(kFolder / name);
      const nlohmann::json theirs = nlohmann::json::parse(text);
      const nlohmann::json ours = nlohmann::json::parse(write_tokenizer_json(read_tokenizer_json(text)));
      for (const char* part : {"added_tokens", "normalizer", "pre_tokenizer"}) {
        CAPTURE(part);
        CHECK(ours[part] == theirs[part]);
      }
      const bool is_first = theirs["decoder"].dump().find("\"first\"") != std::string::npos;
      if (!is_first) {  // which to a decoder is the same as "always"
        CHECK(ours["decoder"] == theirs["decoder"]);
      }
      CHECK(ours["model"]["vocab"] == theirs["model"]["vocab"]);
      CHECK(ours["model"].value("merges", nlohmann::json()) == theirs["model"].value("merges", nlohmann::json()));
    }
  }

  TEST_CASE("what was written is read as the same") {
    for (const char* name : {"byte_level.json", "roberta.json", "bert.json", "unigram.json", "wordlevel.json"}) {
      CAPTURE(name);
      const std::string once = write_tokenizer_json(read_tokenizer_json(read_text(kFolder / name)));
      CHECK(write_tokenizer_json(read_tokenizer_json(once)) == once);
    }
  }

  TEST_CASE("a charsmap comes back, whatever its length") {
    for (const std::string& bytes : std::vector<std::string>{"", "\xff", "ab", {'a', '\0', 'c'}, "abcd"}) {
      Vocabulary vocabulary{.model = TokenizerModel::unigram, .tokens = {{.text = "a", .score = -0.1}}};
      vocabulary.normalizers = {normalizers::Precompiled{bytes}};
      const Vocabulary again = read_tokenizer_json(write_tokenizer_json(vocabulary));
      CHECK(std::get<normalizers::Precompiled>(again.normalizers.at(0)).charsmap == bytes);
      CHECK(again.tokens.at(0).score == -0.1);
    }
  }

  TEST_CASE("SentencePiece's own parts are refused until they are brought into another form") {
    Vocabulary vocabulary{.model = TokenizerModel::sentencepiece_bpe};
    vocabulary.tokens = {{.text = "<unk>", .kind = Vocabulary::Token::Kind::unknown},
                         {.text = "a", .score = -3},
                         {.text = "aa", .score = -2},
                         {.text = "aaa", .score = -1}};
    vocabulary.unknown = 0;
    vocabulary.normalizers = {normalizers::SentencePiece{.remove_extra_whitespaces = false}};
    CHECK_THROWS_AS(write_tokenizer_json(vocabulary), Error);
    const Vocabulary form = huggingface_form(vocabulary);
    CHECK(form.merges.size() == 3);  // "aaa" of two parts in two ways, first; then "aa"
    CHECK(form.merges[0].merged == 3);
    CHECK(form.merges[0].left == 1);
    CHECK(form.merges[2].merged == 2);
    CHECK(form.normalizers.size() == 2);
    CHECK(read_tokenizer_json(write_tokenizer_json(form)).merges.size() == 3);
  }
}

}  // namespace
}  // namespace terse
