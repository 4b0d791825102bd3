#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "calibration/tokenizers/tokenizer.h"
#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/tokenizer_reader.h"
#include "formats/gguf/tokenizer_writer.h"
#include "formats/gguf/writer.h"
#include "tests/temporary_folder.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(TERSE_TESTDATA) / "tokenizers";

using Ids = std::vector<int32_t>;

constexpr int64_t kRows = 600;  // more than any tokenizer here has

gguf::Metadata metadata_of(const std::filesystem::path& folder, int64_t rows = kRows) {
  const nlohmann::json config = nlohmann::json::object();
  gguf::Metadata metadata;
  gguf::write_tokenizer(folder, JsonField(config, ""), rows, metadata);
  return metadata;
}

/// A checkpoint folder that has this file of testdata/tokenizers.
void make_folder(const TemporaryFolder& folder, const std::filesystem::path& file) {
  const bool is_json = file.extension() == ".json";
  std::filesystem::copy(kFolder / file, folder.path() / (is_json ? "tokenizer.json" : "tokenizer.model"));
}

/// What Hugging Face's library and SentencePiece made of texts, see testdata/tokenizers/make.py.
nlohmann::json expected(const std::filesystem::path& file) {
  return nlohmann::json::parse(read_text(kFolder / file.stem().concat(".expected.json")));
}

std::string error_of(const std::filesystem::path& folder, int64_t rows) {
  try {
    metadata_of(folder, rows);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_SUITE("calibration/tokenizers/gguf") {
  TEST_CASE("a tokenizer gives the same ids out of a GGUF file, and out of the folder made of that") {
    struct Row {
      const char *file, *model;
      const char*
          differs;  ///< in texts with this: GGUF says less about added tokens, and nothing about a missing prefix
    };
    for (const Row& row : {
             Row{"byte_level.json", "gpt2", nullptr},
             Row{"roberta.json", "gpt2", "<mask>"},
             Row{"byte_fallback.json", "llama", nullptr},
             Row{"bert.json", "bert", nullptr},
             Row{"llama.model", "llama", "<s>"},
         }) {
      CAPTURE(row.file);
      const TemporaryFolder folder;
      make_folder(folder, row.file);
      const gguf::Metadata metadata = metadata_of(folder.path());
      CHECK(metadata.find_string("tokenizer.ggml.model") == row.model);
      CHECK(metadata.find_array("tokenizer.ggml.tokens")->count() == kRows);
      const TemporaryFolder again;
      for (const gguf::TextFile& file : gguf::tokenizer_files(metadata)) {
        AtomicFile out(again.path() / file.name);
        out.write(file.text);
        out.commit();
      }
      const Tokenizer read(gguf::read_tokenizer(metadata));
      const auto reread = open_tokenizer(again.path());
      for (const auto& line : expected(row.file)) {
        const auto text = line["text"].get<std::string>();
        if (row.differs == nullptr || text.find(row.differs) == std::string::npos) {
          CAPTURE(text);
          const bool is_pieces =
              std::string_view(row.file).ends_with(".model");  // whose library adds no special tokens
          const EncodeOptions options{.special_tokens = is_pieces ? SpecialTokens::leave_out : SpecialTokens::add};
          CHECK(read.encode(text, options) == line["ids"].get<Ids>());
          CHECK(reread->encode(text, options) == line["ids"].get<Ids>());
          CHECK(read.encode(text, {.special_tokens = SpecialTokens::leave_out}) == line["inner"].get<Ids>());
        }
      }
    }
  }

  TEST_CASE("a GGUF file is a tokenizer's file") {
    const TemporaryFolder folder;
    make_folder(folder, "byte_level.json");
    const auto path = folder.path() / "m.gguf";
    gguf::write(metadata_of(folder.path()), {}, path);
    CHECK(is_tokenizer_file(path));
    CHECK(open_tokenizer(path)->encode("Hello world") == open_tokenizer(folder.path())->encode("Hello world"));
    gguf::write({}, {}, path);
    CHECK_FALSE(is_tokenizer_file(path));
  }

  TEST_CASE("what llama.cpp could not follow is refused, saying what") {
    struct Row {
      const char *file, *message;
    };
    for (const Row& row : {
             Row{"added.json", "changes texts before a byte-level BPE sees them"},
             Row{"metaspace.json", "no tokens for bytes"},
             Row{"unigram.json", "normalizer is none of SentencePiece's"},
             Row{"wordlevel.json", "a tokenizer of whole words"},
         }) {
      CAPTURE(row.file);
      const TemporaryFolder folder;
      make_folder(folder, row.file);
      CHECK(error_of(folder.path(), kRows).find(row.message) != std::string::npos);
    }
    const TemporaryFolder folder;
    make_folder(folder, "byte_level.json");
    CHECK(error_of(folder.path(), 100).find("but the model's table only 100 rows") != std::string::npos);
  }

  TEST_CASE("a folder without a tokenizer is said to have none") {
    const TemporaryFolder folder;
    CHECK(metadata_of(folder.path()).find_string("tokenizer.ggml.model") == "none");
  }
}

}  // namespace
}  // namespace terse::calibration
