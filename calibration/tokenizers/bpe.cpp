#include <array>
#include <atomic>

#include "calibration/tokenizers/byte_alphabet.h"
#include "calibration/tokenizers/byte_tokens.h"
#include "calibration/tokenizers/merging.h"
#include "calibration/tokenizers/token_model.h"
#include "calibration/tokenizers/token_table.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

/// Byte pair encoding. Source: Sennrich et al. 2016, arXiv:1508.07909; over bytes: Radford et al. 2019.
/// Cost: a lookup for a piece that is a token; else O(n log n) for n characters.
class Bpe : public TokenModel {
 public:
  Bpe(const Vocabulary& vocabulary, PieceUnit unit)
      : unit_(unit),
        table_(vocabulary.tokens.size()),
        merges_(vocabulary.merges.size()),
        unknown_(vocabulary.unknown),
        fuse_unknown_(vocabulary.fuse_unknown),
        ignore_merges_(vocabulary.ignore_merges),
        prefix_(vocabulary.continuing_subword_prefix),
        suffix_(vocabulary.end_of_word_suffix),
        bytes_(vocabulary),
        whole_(vocabulary.tokens.size()) {
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
      add_token(vocabulary.tokens[id].text, static_cast<int32_t>(id));
    }
    for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
      const auto& [left, right, merged] = vocabulary.merges[rank];
      merges_.insert(left, right, {.rank = static_cast<uint32_t>(rank), .id = merged});
    }
    for (size_t c = 0; c < single_.size(); ++c) {
      const char text = static_cast<char>(c);
      single_[c] = table_.find({&text, 1});
    }
  }

  void encode(const Pieces& pieces, std::vector<int32_t>& out) const override {
    Merger merger([this](const Symbol& left, const Symbol& right) { return merges_.find(left.id, right.id); });
    std::vector<Symbol> symbols;
    for (const Span& span : pieces.spans) {
      const std::string_view piece = pieces.at(span);
      const int32_t id = table_.find(piece);
      if (id != TokenTable::kAbsent && (ignore_merges_ || whole_of(id) == Whole::yes)) {
        out.push_back(id);
        continue;
      }
      symbols.clear();
      split(piece, symbols);
      merger.run(symbols);
      for (const Symbol& symbol : symbols) {
        out.push_back(symbol.id);
      }
      if (id != TokenTable::kAbsent) {
        whole_[static_cast<size_t>(id)].store(symbols.size() == 1 && symbols[0].id == id ? Whole::yes : Whole::no,
                                              std::memory_order_relaxed);
      }
    }
  }

 private:
  /// Whether a token's own text is encoded as that token: found out when it is first met. Every thread finds the same.
  enum class Whole : uint8_t { unknown, yes, no };
  Whole whole_of(int32_t id) const { return whole_[static_cast<size_t>(id)].load(std::memory_order_relaxed); }

  void add_token(const std::string& text, int32_t id) {
    if (unit_ == PieceUnit::characters) {
      table_.insert(text, id);
    } else if (const auto bytes = bytes_of_characters(text)) {
      table_.insert(*bytes, id);
    }
  }

  void split(std::string_view piece, std::vector<Symbol>& symbols) const {
    if (piece.size() > UINT32_MAX) {
      throw Error(Kind::unsupported, "a text of {} bytes without a place to cut it, expected less than 4 GiB",
                  piece.size());
    }
    Unknown pending;
    for (size_t at = 0; at < piece.size();) {
      const size_t end = at + (unit_ == PieceUnit::bytes ? 1 : utf8::length(piece[at]));
      const auto begin = static_cast<uint32_t>(at);
      const int32_t id = first_id(piece, at, end);
      if (id != TokenTable::kAbsent) {
        pending.flush(symbols);
        symbols.push_back({id, begin, static_cast<uint32_t>(end)});
      } else if (!fall_back(piece, at, end, symbols) && unknown_) {
        if (pending.there && !fuse_unknown_) {
          pending.flush(symbols);
        }
        pending.add({*unknown_, begin, static_cast<uint32_t>(end)});
      }
      at = end;
    }
    pending.flush(symbols);
  }

  /// An unknown token that waits, because its neighbour may join it. (Behind a waiting one, bytes are put in front of
  /// it: Hugging Face's order.)
  struct Unknown {
    Symbol symbol;
    bool there = false;
    void add(const Symbol& more) {
      symbol = there ? Symbol{symbol.id, symbol.begin, more.end} : more;
      there = true;
    }
    void flush(std::vector<Symbol>& symbols) {
      if (there) {
        symbols.push_back(symbol);
        there = false;
      }
    }
  };

  int32_t first_id(std::string_view piece, size_t begin, size_t end) const {
    if (prefix_.empty() && suffix_.empty()) {
      return end - begin == 1 ? single_[static_cast<unsigned char>(piece[begin])]
                              : table_.find(piece.substr(begin, end - begin));
    }
    return table_.find(decorated(piece, begin, end));
  }

  std::string decorated(std::string_view piece, size_t begin, size_t end) const {
    std::string text = begin == 0 ? "" : prefix_;
    text.append(piece.substr(begin, end - begin));
    return end == piece.size() ? text + suffix_ : text;
  }

  bool fall_back(std::string_view piece, size_t begin, size_t end, std::vector<Symbol>& symbols) const {
    if (!bytes_.are_there()) {
      return false;
    }
    std::vector<int32_t> ids;
    bytes_.append(decorated(piece, begin, end), ids);
    for (const int32_t id : ids) {
      symbols.push_back({id, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    }
    return !ids.empty();
  }

  PieceUnit unit_;
  TokenTable table_;
  MergeTable merges_;
  std::optional<int32_t> unknown_;
  bool fuse_unknown_, ignore_merges_;
  std::string prefix_, suffix_;
  ByteTokens bytes_;
  std::array<int32_t, 256> single_{};  ///< of one byte
  mutable std::vector<std::atomic<Whole>> whole_;
};

}  // namespace

std::unique_ptr<const TokenModel> make_bpe(const Vocabulary& vocabulary, PieceUnit unit) {
  return std::make_unique<Bpe>(vocabulary, unit);
}

}  // namespace terse::calibration
