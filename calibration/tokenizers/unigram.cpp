#include <algorithm>
#include <cfloat>
#include <limits>

#include "calibration/tokenizers/byte_tokens.h"
#include "calibration/tokenizers/token_model.h"
#include "calibration/tokenizers/trie.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

using Token = Vocabulary::Token;

/// What an unknown character costs more than the least probable token.
constexpr double kUnknownPenalty = 10;

bool is_searched(const Token& token) {
  return token.kind == Token::Kind::normal || token.kind == Token::Kind::user_defined;
}

std::vector<Trie::Entry> entries(const Vocabulary& vocabulary) {
  const bool all = vocabulary.model == TokenizerModel::unigram;
  std::vector<Trie::Entry> out;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (all || is_searched(vocabulary.tokens[id])) {
      out.push_back({.text = vocabulary.tokens[id].text, .id = static_cast<int32_t>(id)});
    }
  }
  return out;
}

/// The most probable way to cut a text into tokens.
/// Source:  Kudo 2018, arXiv:1804.10959; ties and rounding as Hugging Face's library (Score = double) and SentencePiece
///          (Score = float) have them: the first of equals stays.
/// Cost:    O(n * longest token) for n bytes.
template <typename Score>
class Unigram : public TokenModel {
 public:
  explicit Unigram(const Vocabulary& vocabulary)
      : trie_(entries(vocabulary)), unknown_(vocabulary.unknown), bytes_(vocabulary) {
    for (const Token& token : vocabulary.tokens) {
      scores_.push_back(token.score);
      user_defined_.push_back(is_sentencepiece() && token.kind == Token::Kind::user_defined);
      if (!is_sentencepiece() || token.kind == Token::Kind::normal) {
        least_ = std::min(least_, static_cast<Score>(token.score));
        greatest_ = std::max(greatest_, static_cast<Score>(token.score));
      }
    }
    unknown_score_ = least_ - static_cast<Score>(kUnknownPenalty);
  }

  void encode(const Pieces& pieces, std::vector<int32_t>& out) const override {
    std::vector<Node> ends;
    std::vector<Part> parts;
    for (const Span& span : pieces.spans) {
      const std::string_view piece = pieces.at(span);
      search(piece, ends);
      walk_back(ends, parts);
      for (const Part& part : parts) {
        append(piece, part, out);
      }
    }
  }

 private:
  static constexpr bool is_sentencepiece() { return std::is_same_v<Score, float>; }
  static constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

  /// The best way to a place: its score, its last token and where that begins.
  struct Node {
    Score score = 0;
    int32_t id = 0;
    bool unknown = false;
    size_t begin = kNowhere;
  };
  struct Part {
    Span span;
    int32_t id = 0;
    bool unknown = false;
  };

  /// User-defined tokens score so high that they always win.
  double score_of(int32_t id, size_t length) const {
    const auto index = static_cast<size_t>(id);
    return user_defined_[index] ? static_cast<double>(static_cast<Score>(length) * greatest_) - 0.1 : scores_[index];
  }

  void search(std::string_view piece, std::vector<Node>& ends) const {
    ends.assign(piece.size() + 1, {});
    for (size_t begin = 0; begin < piece.size();) {
      const size_t length = utf8::length(piece[begin]);
      const Score here = ends[begin].score;
      bool has_character = false;
      trie_.for_each_prefix(piece.substr(begin), [&](size_t matched, int32_t id) {
        offer(ends[begin + matched], score_of(id, matched) + static_cast<double>(here), {.id = id, .begin = begin});
        has_character = has_character || matched == length;
      });
      if (!has_character) {
        offer(ends[begin + length], static_cast<double>(static_cast<Score>(unknown_score_ + here)),
              {.id = unknown_.value_or(-1), .unknown = true, .begin = begin});
      }
      begin += length;
    }
  }

  static void offer(Node& end, double score, const Node& node) {
    if (end.begin == kNowhere || score > static_cast<double>(end.score)) {
      end = node;
      end.score = static_cast<Score>(score);
    }
  }

  /// The parts from left to right, neighbouring unknown ones as one.
  void walk_back(const std::vector<Node>& ends, std::vector<Part>& parts) const {
    parts.clear();
    for (size_t end = ends.size() - 1; end > 0; end = ends[end].begin) {
      const Node& node = ends[end];
      const bool unknown = node.unknown || node.id == unknown_;
      if (unknown && !parts.empty() && parts.back().unknown) {
        parts.back().span.begin = node.begin;
      } else {
        parts.push_back({{node.begin, end}, node.id, unknown});
      }
    }
    std::ranges::reverse(parts);
  }

  void append(std::string_view piece, const Part& part, std::vector<int32_t>& out) const {
    const std::string_view text = piece.substr(part.span.begin, part.span.end - part.span.begin);
    if (!part.unknown) {
      out.push_back(part.id);
    } else if (const int32_t id = is_sentencepiece() ? Trie::kAbsent : trie_.find(text); id != Trie::kAbsent) {
      out.push_back(id);
    } else if (bytes_.append(text, out)) {
      return;
    } else if (unknown_) {
      out.push_back(*unknown_);
    } else {
      throw Error(Kind::input, "the vocabulary has neither '{}' nor an unknown token", text);
    }
  }

  Trie trie_;
  std::vector<double> scores_;
  std::vector<bool> user_defined_;
  std::optional<int32_t> unknown_;
  ByteTokens bytes_;
  Score least_ = is_sentencepiece() ? FLT_MAX : std::numeric_limits<Score>::infinity();
  Score greatest_ = FLT_MIN;
  Score unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<const TokenModel> make_unigram(const Vocabulary& vocabulary) {
  if (vocabulary.model == TokenizerModel::unigram) {
    return std::make_unique<Unigram<double>>(vocabulary);
  }
  return std::make_unique<Unigram<float>>(vocabulary);
}

}  // namespace terse::calibration
