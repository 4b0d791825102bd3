#include "calibration/tokenizers/tokenizer.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/tokenizer_json.h"
#include "tests/temporary_folder.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(TERSE_TESTDATA) / "tokenizers";

using Ids = std::vector<int32_t>;

/// What Hugging Face's library and SentencePiece made of texts, see testdata/tokenizers/make.py.
nlohmann::json expected(const std::string& name) {
  return nlohmann::json::parse(read_text(kFolder / (name + ".expected.json")));
}

/// A small byte-level BPE with `fields` put over it.
Tokenizer with_fields(const std::string& fields) {
  auto document = nlohmann::json::parse(read_text(kFolder / "byte_level.json"));
  document.merge_patch(nlohmann::json::parse(fields));
  return Tokenizer(read_tokenizer_json(document.dump()));
}

TEST_SUITE("calibration/tokenizers/tokenizer") {
  TEST_CASE("ids are those of the libraries that trained the tokenizers") {
    for (const std::string file :
         {"added.json", "bert.json", "byte_fallback.json", "byte_level.json", "metaspace.json", "roberta.json",
          "unigram.json", "wordlevel.json", "llama.model", "unigram-bytes.model"}) {
      CAPTURE(file);
      const auto tokenizer = open_tokenizer(kFolder / file);
      for (const auto& row : expected(std::filesystem::path(file).stem().string())) {
        const auto text = row["text"].get<std::string>();
        CAPTURE(text);
        CHECK(tokenizer->encode(text) == row["ids"].get<Ids>());
        CHECK(tokenizer->encode(text, {.special_tokens = SpecialTokens::leave_out}) == row["inner"].get<Ids>());
      }
    }
  }

  TEST_CASE("ids become the text that the libraries make of them") {
    for (const std::string name :
         {"added.json", "bert.json", "byte_fallback.json", "byte_level.json", "metaspace.json", "roberta.json",
          "unigram.json", "wordlevel.json", "llama.model", "unigram-bytes.model"}) {
      CAPTURE(name);
      const auto tokenizer = open_tokenizer(kFolder / name);
      for (const auto& row : expected(std::filesystem::path(name).stem().string())) {
        const bool is_json = name.ends_with(".json");
        const auto special = is_json ? SpecialTokens::add : SpecialTokens::leave_out;
        CHECK(tokenizer->decode(row["ids"].get<Ids>(), special) == row["decoded"].get<std::string>());
      }
    }
    const auto roberta = open_tokenizer(kFolder / "roberta.json");
    CHECK(roberta->decode(roberta->encode("Hello <mask> world")) == " Hello world");
    CHECK(open_tokenizer(kFolder / "llama.model")->decode(Ids{1, 2}, SpecialTokens::add) == "<s></s>");
  }

  TEST_CASE("bad bytes count as the replacement character, one for each longest start of a character") {
    const auto tokenizer = open_tokenizer(kFolder / "byte_level.json");
    const std::string bad = "\uFFFD";
    struct Row {
      std::string text, same_as;
    };
    for (const Row& row : {Row{"a\xff z", "a" + bad + " z"}, Row{"\xe2\x82", bad}, Row{"\xe2\x82z", bad + "z"},
                           Row{"\xf0\x9f\x98\xff", bad + bad}, Row{"\xed\xa0\x80", bad + bad + bad},
                           Row{"\xc0\xaf", bad + bad}, Row{"\xf4\x90\x80\x80", bad + bad + bad + bad}}) {
      CAPTURE(row.text);
      CHECK(tokenizer->encode(row.text) == tokenizer->encode(row.same_as));
    }
  }

  TEST_CASE("a text is cut as the file says only when asked, with room for special tokens") {
    const Tokenizer right = with_fields(R"({"truncation": {"max_length": 5, "direction": "Right"}})");
    const Tokenizer left = with_fields(R"({"truncation": {"max_length": 5, "direction": "Left"}})");
    const Ids all = right.encode("12345678", {.special_tokens = SpecialTokens::leave_out});
    REQUIRE(all.size() > 5);
    const EncodeOptions cut{.special_tokens = SpecialTokens::leave_out, .truncation = Truncation::as_saved};
    CHECK(right.encode("12345678", cut) == Ids(all.begin(), all.begin() + 5));
    CHECK(left.encode("12345678", cut) == Ids(all.end() - 5, all.end()));
    CHECK(right.encode("12345678", {.truncation = Truncation::as_saved}).size() == 5);
    CHECK(right.encode("12345678").size() == all.size() + right.prefix().size() + right.suffix().size());
  }

  TEST_CASE("one tokenizer serves several threads") {
    const auto tokenizer = open_tokenizer(kFolder / "byte_level.json");
    const auto rows = expected("byte_level");
    std::vector<int> wrong(4);
    {
      std::vector<std::jthread> threads;
      for (int& count : wrong) {
        threads.emplace_back([&] {
          for (const auto& row : rows) {
            count += tokenizer->encode(row["text"].get<std::string>()) == row["ids"].get<Ids>() ? 0 : 1;
          }
        });
      }
    }
    CHECK(wrong == std::vector<int>(4));
  }

  TEST_CASE("tokens are found by their text") {
    const auto tokenizer = open_tokenizer(kFolder / "added.json");
    CHECK(tokenizer->find("<unk>") == 0);
    CHECK(tokenizer->find("<extra>") == tokenizer->encode("<extra>").front());
    CHECK_FALSE(tokenizer->find("no such token").has_value());
    CHECK(tokenizer->size() > *tokenizer->find("<extra>"));
  }

  TEST_CASE("vocab.json and merges.txt are read as GPT-2's with what tokenizer_config.json says") {
    const auto lm = std::filesystem::path(TERSE_TESTDATA) / "lm";
    const auto model = nlohmann::json::parse(read_text(lm / "tokenizer.json"))["model"];
    const TemporaryFolder folder;
    write_text(folder.path() / "vocab.json", model["vocab"].dump());
    std::string merges = "#version: 0.2\n";
    for (const auto& merge : model["merges"]) {
      merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
    }
    write_text(folder.path() / "merges.txt", merges);
    const auto config = folder.path() / "tokenizer_config.json";
    write_text(config, R"({"tokenizer_class": "GPT2TokenizerFast", "bos_token": "<s>", "add_bos_token": true,
                           "eos_token": {"content": "</s>"}, "unk_token": "<pad>"})");
    const auto expected_ids = open_tokenizer(lm);
    for (const std::string text : {"Drania, a brewer  from\nPåskö", "<s>a</s> b<pad>", ""}) {
      CHECK(open_tokenizer(folder.path())->encode(text) == expected_ids->encode(text));
    }
    write_text(config, R"({"tokenizer_class": "CLIPTokenizer"})");
    CHECK_THROWS_WITH_AS(open_tokenizer(folder.path()), doctest::Contains("found the class 'CLIPTokenizer'"), Error);
    write_text(config, "{}");
    CHECK_THROWS_WITH_AS(open_tokenizer(folder.path()), doctest::Contains("'<|endoftext|>' is not in the vocabulary"),
                         Error);
  }

  TEST_CASE("a part that is not supported is named") {
    struct Row {
      std::string fields, message;
    };
    for (
        const Row& row :
        {Row{R"({"pre_tokenizer": {"type": "UnicodeScripts"}})", "terse does not know the type 'UnicodeScripts'"},
         Row{R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Odd"}]}})", "normalizer.normalizers[0]"},
         Row{R"({"model": {"dropout": 0.1}})", "model.dropout"},
         Row{R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a)\\1"}, "behavior": "Isolated"}})",
             "the escape '\\1'"},
         Row{R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{Script=Han}"}, "behavior": "Isolated"}})",
             "the property 'Script=Han'"}}) {
      CAPTURE(row.fields);
      CHECK_THROWS_WITH_AS(with_fields(row.fields), doctest::Contains(row.message.c_str()), Error);
    }
  }
}

}  // namespace
}  // namespace terse::calibration
