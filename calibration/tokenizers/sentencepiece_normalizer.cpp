#include <algorithm>
#include <optional>

#include "calibration/tokenizers/charsmap.h"
#include "calibration/tokenizers/normalizers.h"
#include "calibration/tokenizers/trie.h"
#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

/// The texts that no normalization touches.
Trie user_defined(const Vocabulary& vocabulary) {
  std::vector<Trie::Entry> entries;
  for (const Vocabulary::Token& token : vocabulary.tokens) {
    if (token.kind == Vocabulary::Token::Kind::user_defined) {
      entries.push_back({.text = token.text});
    }
  }
  return Trie(std::move(entries));
}

/// The charsmap, then white space: one space between words, none around the text, a dummy one in front, U+2581 for
/// each. Source: Kudo and Richardson 2018, SentencePiece, arXiv:1808.06226.
class SentencePieceNormalizer : public NormalizerStep {
 public:
  SentencePieceNormalizer(const normalizers::SentencePiece& description, const Vocabulary& vocabulary)
      : options_(description), user_defined_(user_defined(vocabulary)) {
    if (!options_.charsmap.empty()) {
      charsmap_.emplace(options_.charsmap);
    }
    space_ = options_.escape_whitespaces ? "\u2581" : " ";
  }

  void apply(NormalizedText& text) const override {
    std::string_view rest = text.bytes;
    if (options_.remove_extra_whitespaces) {
      skip_spaces(rest);
    }
    std::string out;
    if (!rest.empty()) {
      write(rest, out);
    }
    text.bytes = utf8::made_valid(std::move(out));
  }

 private:
  /// What the start of a text becomes, and how much of it that is.
  struct Prefix {
    size_t length = 0;
    std::string_view replacement;
  };

  Prefix normalize_prefix(std::string_view text) const {
    if (const auto found = user_defined_.longest(text); found.length != 0) {
      return {found.length, text.substr(0, found.length)};
    }
    if (const auto found = charsmap_ ? charsmap_->longest(text) : std::nullopt) {
      return {found->length, found->replacement};
    }
    const size_t length = std::min(utf8::length(text[0]), text.size());
    return {length, text.substr(0, length)};
  }

  void skip_spaces(std::string_view& text) const {
    while (!text.empty()) {
      const Prefix prefix = normalize_prefix(text);
      if (prefix.replacement != " ") {
        return;
      }
      text.remove_prefix(prefix.length);
    }
  }

  void write(std::string_view rest, std::string& out) const {
    out.reserve(rest.size() * 5 / 4 + 4);
    if (options_.add_dummy_prefix && !options_.whitespace_as_suffix) {
      out += space_;
    }
    bool after_space = options_.remove_extra_whitespaces;
    while (!rest.empty()) {
      const Prefix prefix = normalize_prefix(rest);
      rest.remove_prefix(prefix.length);
      append(prefix.replacement, after_space, out);
    }
    while (options_.remove_extra_whitespaces && out.ends_with(space_)) {
      out.resize(out.size() - space_.size());
    }
    if (options_.add_dummy_prefix && options_.whitespace_as_suffix) {
      out += space_;
    }
  }

  void append(std::string_view piece, bool& after_space, std::string& out) const {
    while (after_space && piece.starts_with(' ')) {
      piece.remove_prefix(1);
    }
    for (const char byte : piece) {
      if (byte == ' ') {
        out += space_;
      } else {
        out += byte;
      }
    }
    if (!piece.empty()) {
      after_space = options_.remove_extra_whitespaces && piece.ends_with(' ');
    }
  }

  normalizers::SentencePiece options_;
  Trie user_defined_;
  std::optional<Charsmap> charsmap_;
  std::string space_;
};

}  // namespace

std::unique_ptr<const NormalizerStep> make_sentencepiece_normalizer(const normalizers::SentencePiece& description,
                                                                    const Vocabulary& vocabulary) {
  return std::make_unique<SentencePieceNormalizer>(description, vocabulary);
}

}  // namespace terse::calibration
