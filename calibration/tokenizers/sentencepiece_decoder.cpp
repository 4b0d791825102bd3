#include "calibration/tokenizers/sentencepiece_decoder.h"

#include <charconv>
#include <variant>

#include "formats/utf8.h"

namespace terse::calibration {
namespace {

using Token = Vocabulary::Token;

constexpr std::string_view kSpace = "\u2581";

/// The byte of <0x4A>; check_pieces of the reader does not promise that there is one.
char byte_of(std::string_view piece) {
  unsigned value = 0;
  if (piece.size() == 6) {
    std::from_chars(piece.data() + 3, piece.data() + 5, value, 16);
  }
  return static_cast<char>(value);
}

/// Valid characters as they are, every other byte as U+FFFD.
std::string characters_of(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t valid = valid_utf8_prefix(bytes);
    text.append(bytes.substr(0, valid));
    if (valid < bytes.size()) {
      text.append("\uFFFD");
    }
    bytes.remove_prefix(std::min(valid + 1, bytes.size()));
  }
  return text;
}

class Decoder {
 public:
  Decoder(const Vocabulary& vocabulary, SpecialTokens special_tokens)
      : vocabulary_(vocabulary), special_tokens_(special_tokens) {
    if (!vocabulary.normalizers.empty()) {
      if (const auto* it = std::get_if<normalizers::SentencePiece>(&vocabulary.normalizers.front())) {
        strips_one_ = it->add_dummy_prefix || it->remove_extra_whitespaces;
        strips_all_ = it->remove_extra_whitespaces;
      }
    }
  }

  void add(const Token& token) {
    if (token.kind == Token::Kind::byte) {
      bytes_.push_back(byte_of(token.text));
      return;
    }
    finish_bytes();
    at_start_ = at_start_ && !stripped_ && text_.empty();
    stripped_ = false;
    if (token.kind == Token::Kind::control) {
      text_ += special_tokens_ == SpecialTokens::add ? token.text : "";
    } else if (token.kind == Token::Kind::unknown) {
      text_ += vocabulary_.unknown_surface;
    } else {
      add_piece(token.text);
    }
  }

  std::string finish() {
    finish_bytes();
    return std::move(text_);
  }

 private:
  void add_piece(std::string_view piece) {
    if (at_start_ && strips_one_ && piece.starts_with(kSpace)) {
      piece.remove_prefix(kSpace.size());
      stripped_ = !strips_all_;
    }
    for (size_t at = piece.find(kSpace); at != std::string_view::npos; at = piece.find(kSpace)) {
      text_.append(piece.substr(0, at)).append(" ");
      piece.remove_prefix(at + kSpace.size());
    }
    text_.append(piece);
  }

  void finish_bytes() {
    text_ += characters_of(bytes_);
    bytes_.clear();
  }

  const Vocabulary& vocabulary_;
  SpecialTokens special_tokens_;
  bool strips_one_ = false, strips_all_ = false;
  bool at_start_ = true;   ///< a space in front may still be one that was put there
  bool stripped_ = false;  ///< by the last piece
  std::string text_, bytes_;
};

}  // namespace

std::string decode_sentencepiece(const Vocabulary& vocabulary, std::span<const int32_t> ids,
                                 SpecialTokens special_tokens) {
  Decoder decoder(vocabulary, special_tokens);
  for (const int32_t id : ids) {
    if (id >= 0 && static_cast<size_t>(id) < vocabulary.tokens.size()) {
      decoder.add(vocabulary.tokens[static_cast<size_t>(id)]);
    }
  }
  return decoder.finish();
}

}  // namespace terse::calibration
