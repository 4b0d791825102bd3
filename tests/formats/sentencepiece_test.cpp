#include "formats/sentencepiece.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/onnx/wire.h"

namespace terse {
namespace {

using Kind_ = Vocabulary::Token::Kind;

std::string piece(std::string_view text, int type) {
  std::string message, field;
  wire::append_bytes_field(message, 1, text);
  wire::append_varint_field(message, 3, static_cast<uint64_t>(type));
  wire::append_bytes_field(field, 1, message);
  return field;
}

/// Reads what may be broken; an Error is as good as a vocabulary of no more pieces than the whole file has.
bool survives(std::string_view bytes) {
  try {
    return read_sentencepiece(std::as_bytes(std::span(bytes))).tokens.size() <= 3;
  } catch (const Error&) {
    return true;
  }
}

Vocabulary read(std::string_view bytes) { return read_sentencepiece(std::as_bytes(std::span(bytes))); }

TEST_SUITE("formats/sentencepiece") {
  TEST_CASE("a model's pieces, kinds and options are read") {
    const auto file = MappedFile::open(std::filesystem::path(TERSE_TESTDATA) / "tokenizers/llama.model");
    const Vocabulary vocabulary = read_sentencepiece(file->bytes());
    CHECK(vocabulary.model == TokenizerModel::sentencepiece_bpe);
    CHECK(vocabulary.byte_fallback);
    CHECK(vocabulary.unknown == 0);
    CHECK(vocabulary.tokens[1].kind == Kind_::control);
    CHECK(vocabulary.tokens[3].text == "<0x00>");
    CHECK(vocabulary.tokens[3].kind == Kind_::byte);
    CHECK(vocabulary.tokens.back().score < 0);
    CHECK_FALSE(std::get<normalizers::SentencePiece>(vocabulary.normalizers[0]).remove_extra_whitespaces);
  }

  TEST_CASE("every truncation of a file is an error or a shorter vocabulary, and every flipped byte is survived") {
    std::string whole = piece("<unk>", 2) + piece("a", 1) + piece("bc", 4);
    wire::append_bytes_field(whole, 2, "\x18\x02");  // trainer_spec { model_type: BPE }
    CHECK(read(whole).tokens.size() == 3);
    for (size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      CHECK(survives(std::string_view(whole).substr(0, length)));
    }
    for (size_t at = 0; at < whole.size() * 8; ++at) {
      std::string broken = whole;
      broken[at / 8] = static_cast<char>(broken[at / 8] ^ 1 << at % 8);
      CHECK(survives(broken));
    }
  }

  TEST_CASE("what makes no vocabulary is refused") {
    std::string words = piece("<unk>", 2);
    wire::append_bytes_field(words, 2, "\x18\x03");
    struct Row {
      std::string bytes;
      const char* message;
    };
    for (const Row& row : {Row{"", "none of 0 pieces"}, Row{piece("a", 1), "none of 1 pieces"},
                           Row{piece("<unk>", 2) + piece("x", 2), "both the unknown one"},
                           Row{piece("<unk>", 2) + piece("", 1), "piece 1 is ''"},
                           Row{piece("<unk>", 2) + piece("a", 1) + piece("a", 4), "piece 2 is 'a'"},
                           Row{piece("<unk>", 9), "type 9"}, Row{words, "model type 3"}}) {
      CAPTURE(row.message);
      CHECK_THROWS_WITH_AS(read(row.bytes), doctest::Contains(row.message), Error);
    }
  }
}

}  // namespace
}  // namespace terse
