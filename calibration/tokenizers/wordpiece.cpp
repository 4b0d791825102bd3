#include "calibration/tokenizers/token_model.h"
#include "calibration/tokenizers/trie.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

std::vector<Trie::Entry> entries(const Vocabulary& vocabulary) {
  std::vector<Trie::Entry> out;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    out.push_back({.text = vocabulary.tokens[id].text, .id = static_cast<int32_t>(id)});
  }
  return out;
}

/// Tokens that continue a word, without the prefix that says so.
std::vector<Trie::Entry> continuing_entries(const Vocabulary& vocabulary) {
  const std::string_view prefix = vocabulary.continuing_subword_prefix;
  std::vector<Trie::Entry> out;
  for (const Trie::Entry& entry : entries(vocabulary)) {
    if (entry.text.starts_with(prefix)) {
      out.push_back({.text = entry.text.substr(prefix.size()), .id = entry.id});
    }
  }
  return out;
}

int32_t get_unknown(const std::optional<int32_t>& unknown, std::string_view piece) {
  if (!unknown) {
    throw Error(Kind::input, "the vocabulary has neither '{}' nor an unknown token", piece);
  }
  return *unknown;
}

/// The longest token at each place; a word with a place that has none is unknown as a whole.
/// Source: Wu et al. 2016, arXiv:1609.08144; Devlin et al. 2018, BERT, tokenization.py.
class WordPiece : public TokenModel {
 public:
  explicit WordPiece(const Vocabulary& vocabulary)
      : first_(entries(vocabulary)),
        continuing_(continuing_entries(vocabulary)),
        unknown_(vocabulary.unknown),
        most_characters_(vocabulary.max_word_characters) {}

  void encode(const Pieces& pieces, std::vector<int32_t>& out) const override {
    for (const Span& span : pieces.spans) {
      const std::string_view piece = pieces.at(span);
      const size_t before = out.size();
      if (is_too_long(piece) || !append(piece, out)) {
        out.resize(before);
        out.push_back(get_unknown(unknown_, piece));
      }
    }
  }

 private:
  bool is_too_long(std::string_view piece) const {
    int64_t characters = 0;
    for (size_t at = 0; at < piece.size() && characters <= most_characters_; at += utf8::length(piece[at])) {
      ++characters;
    }
    return characters > most_characters_;
  }

  bool append(std::string_view piece, std::vector<int32_t>& out) const {
    const Trie* trie = &first_;
    while (!piece.empty()) {
      const Trie::Match found = trie->longest(piece);
      if (found.length == 0) {
        return false;
      }
      out.push_back(found.id);
      piece.remove_prefix(found.length);
      trie = &continuing_;
    }
    return true;
  }

  Trie first_, continuing_;
  std::optional<int32_t> unknown_;
  int64_t most_characters_;
};

/// A piece is a token or unknown.
class WordLevel : public TokenModel {
 public:
  explicit WordLevel(const Vocabulary& vocabulary) : trie_(entries(vocabulary)), unknown_(vocabulary.unknown) {}

  void encode(const Pieces& pieces, std::vector<int32_t>& out) const override {
    for (const Span& span : pieces.spans) {
      const int32_t id = trie_.find(pieces.at(span));
      out.push_back(id == Trie::kAbsent ? get_unknown(unknown_, pieces.at(span)) : id);
    }
  }

 private:
  Trie trie_;
  std::optional<int32_t> unknown_;
};

}  // namespace

std::unique_ptr<const TokenModel> make_wordpiece(const Vocabulary& vocabulary) {
  return std::make_unique<WordPiece>(vocabulary);
}

std::unique_ptr<const TokenModel> make_wordlevel(const Vocabulary& vocabulary) {
  return std::make_unique<WordLevel>(vocabulary);
}

}  // namespace terse::calibration
