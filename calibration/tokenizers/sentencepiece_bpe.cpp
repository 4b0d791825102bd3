#include <unordered_map>

#include "calibration/tokenizers/byte_tokens.h"
#include "calibration/tokenizers/merging.h"
#include "calibration/tokenizers/token_model.h"
#include "calibration/tokenizers/token_table.h"
#include "calibration/tokenizers/trie.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

using Token = Vocabulary::Token;

/// Tokens that merging may make.
bool is_piece(const Token& token) {
  return token.kind == Token::Kind::normal || token.kind == Token::Kind::user_defined ||
         token.kind == Token::Kind::unused;
}

std::vector<Trie::Entry> user_defined_entries(const Vocabulary& vocabulary) {
  std::vector<Trie::Entry> out;
  for (const Token& token : vocabulary.tokens) {
    if (token.kind == Token::Kind::user_defined) {
      out.push_back({.text = token.text});
    }
  }
  return out;
}

/// SentencePiece's byte pair encoding: neighbours whose text is a token merge, the greatest score first.
/// Source: Kudo and Richardson 2018, arXiv:1808.06226. Cost: O(n log n) for n characters.
class SentencePieceBpe : public TokenModel {
 public:
  explicit SentencePieceBpe(const Vocabulary& vocabulary)
      : pieces_(vocabulary.tokens.size()),
        names_(vocabulary.tokens.size()),
        user_defined_(user_defined_entries(vocabulary)),
        bytes_(vocabulary),
        unknown_(vocabulary.unknown.value_or(0)) {
    for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
      const Token& token = vocabulary.tokens[i];
      const auto id = static_cast<int32_t>(i);
      if (is_piece(token)) {
        pieces_.insert(token.text, id);
        names_.insert(token.text, id);
      }
      ranks_.push_back(-static_cast<float>(token.score));
      unused_.push_back(token.kind == Token::Kind::unused);
    }
    for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
      if (!is_piece(vocabulary.tokens[i])) {
        names_.insert(vocabulary.tokens[i].text, static_cast<int32_t>(i));
      }
    }
  }

  void encode(const Pieces& pieces, std::vector<int32_t>& out) const override {
    std::vector<Symbol> symbols;
    for (const Span& span : pieces.spans) {
      const std::string_view piece = pieces.at(span);
      Parents parents;
      Merger merger([&](const Symbol& left, const Symbol& right) { return merge_of(piece, left, right, parents); });
      symbols.clear();
      split(piece, symbols);
      merger.run(symbols);
      bool after_unknown = false;
      for (const Symbol& symbol : symbols) {
        append(piece.substr(symbol.begin, symbol.end - symbol.begin), parents, after_unknown, out);
      }
    }
  }

 private:
  static constexpr int32_t kFrozen = -2;  ///< the id of a symbol that never merges

  struct Merge {
    float rank = 0;
    int32_t id = TokenTable::kAbsent;
  };
  /// What tokens that may not be used were made of.
  using Parents = std::unordered_map<std::string_view, std::pair<std::string_view, std::string_view>>;

  Merge merge_of(std::string_view piece, const Symbol& left, const Symbol& right, Parents& parents) const {
    if (left.id == kFrozen || right.id == kFrozen) {
      return {};
    }
    const std::string_view text = piece.substr(left.begin, right.end - left.begin);
    const int32_t id = pieces_.find(text);
    if (id == TokenTable::kAbsent) {
      return {};
    }
    if (unused_[static_cast<size_t>(id)]) {
      const size_t length = left.end - left.begin;
      parents.insert_or_assign(text, std::pair(text.substr(0, length), text.substr(length)));
    }
    return {.rank = ranks_[static_cast<size_t>(id)], .id = id};
  }

  void split(std::string_view piece, std::vector<Symbol>& symbols) const {
    if (piece.size() > UINT32_MAX) {
      throw Error(Kind::unsupported, "a text of {} bytes, expected less than 4 GiB", piece.size());
    }
    for (size_t at = 0; at < piece.size();) {
      const size_t defined = user_defined_.longest(piece.substr(at)).length;
      const size_t end = at + (defined != 0 ? defined : utf8::length(piece[at]));
      symbols.push_back({defined != 0 ? kFrozen : 0, static_cast<uint32_t>(at), static_cast<uint32_t>(end)});
      at = end;
    }
  }

  void append(std::string_view text, const Parents& parents, bool& after_unknown, std::vector<int32_t>& out) const {
    const int32_t id = names_.find(text);
    if (id == TokenTable::kAbsent || id == unknown_) {
      if (!bytes_.append(text, out) && !after_unknown) {
        out.push_back(unknown_);
      }
      after_unknown = true;
      return;
    }
    const auto made_of = unused_[static_cast<size_t>(id)] ? parents.find(text) : parents.end();
    if (made_of != parents.end()) {
      append(made_of->second.first, parents, after_unknown, out);
      append(made_of->second.second, parents, after_unknown, out);
      return;
    }
    out.push_back(id);
    after_unknown = false;
  }

  TokenTable pieces_;  ///< what merging may make
  TokenTable names_;   ///< all tokens; of equal texts the one that is no piece
  Trie user_defined_;
  ByteTokens bytes_;
  int32_t unknown_;
  std::vector<float> ranks_;
  std::vector<bool> unused_;
};

}  // namespace

std::unique_ptr<const TokenModel> make_sentencepiece_bpe(const Vocabulary& vocabulary) {
  return std::make_unique<SentencePieceBpe>(vocabulary);
}

}  // namespace terse::calibration
