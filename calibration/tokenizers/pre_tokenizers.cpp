#include "calibration/tokenizers/pre_tokenizers.h"

#include <utility>

#include "calibration/tokenizers/byte_alphabet.h"
#include "calibration/tokenizers/characters.h"
#include "calibration/tokenizers/split.h"
#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

/// GPT-2's words: contractions, letters, numbers, other things, each with a space in front; white space.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Cuts at the matches of a pattern.
class PatternSplit : public PreTokenizerStep {
 public:
  explicit PatternSplit(const pre_tokenizers::Split& split)
      : pattern_(split.pattern), behavior_(split.behavior), invert_(split.invert) {}

  void apply(Pieces& pieces) const override {
    Pattern::Search search(pattern_);
    std::vector<Span> out;
    out.reserve(pieces.text.size() / 4);
    Splitter splitter(behavior_, out);
    if (invert_) {
      splitter.invert();
    }
    for (const Span& span : pieces.spans) {
      search.start(pieces.at(span));
      splitter.start(span);
      while (const auto found = search.next()) {
        splitter.match({span.begin + found->begin, span.begin + found->end});
      }
      splitter.finish();
    }
    pieces.spans = std::move(out);
  }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

/// Cuts at single characters.
class CharacterSplit : public PreTokenizerStep {
 public:
  using Predicate = bool (*)(char32_t);
  CharacterSplit(Predicate is_match, SplitBehavior behavior) : is_match_(is_match), behavior_(behavior) {}

  void apply(Pieces& pieces) const override {
    std::vector<Span> out;
    Splitter splitter(behavior_, out);
    for (const Span& span : pieces.spans) {
      splitter.start(span);
      for (size_t at = span.begin; at < span.end;) {
        const size_t end = at + utf8::length(pieces.text[at]);
        if (is_match_(utf8::decode(pieces.text, at))) {
          splitter.match({at, end});
        }
        at = end;
      }
      splitter.finish();
    }
    pieces.spans = std::move(out);
  }

 private:
  Predicate is_match_;
  SplitBehavior behavior_;
};

/// White space goes, punctuation stands alone.
class BertSplit : public PreTokenizerStep {
 public:
  void apply(Pieces& pieces) const override {
    whitespace_.apply(pieces);
    punctuation_.apply(pieces);
  }

 private:
  CharacterSplit whitespace_{characters::is_whitespace, SplitBehavior::removed};
  CharacterSplit punctuation_{characters::is_punctuation, SplitBehavior::isolated};
};

/// Runs of words' characters, runs of others; white space goes.
class WhitespaceSplit : public PreTokenizerStep {
 public:
  void apply(Pieces& pieces) const override {
    std::vector<Span> out;
    for (const Span& span : pieces.spans) {
      Class last = Class::space;
      utf8::for_each(pieces.at(span), [&](char32_t point, size_t begin, size_t end) {
        const Class now = class_of(point);
        if (now != Class::space && now == last) {
          out.back().end = span.begin + end;
        } else if (now != Class::space) {
          out.push_back({span.begin + begin, span.begin + end});
        }
        last = now;
      });
    }
    pieces.spans = std::move(out);
  }

 private:
  enum class Class { space, word, other };
  static Class class_of(char32_t point) {
    return characters::contains(characters::crate_word(), point) ? Class::word
           : characters::is_whitespace(point)                    ? Class::space
                                                                 : Class::other;
  }
};

class FixedLengthSplit : public PreTokenizerStep {
 public:
  explicit FixedLengthSplit(int64_t length) : length_(length) {}

  void apply(Pieces& pieces) const override {
    std::vector<Span> out;
    for (const Span& span : pieces.spans) {
      int64_t held = length_;
      utf8::for_each(pieces.at(span), [&](char32_t, size_t begin, size_t end) {
        if (held == length_) {
          out.push_back({span.begin + begin, span.begin + begin});
          held = 0;
        }
        out.back().end = span.begin + end;
        ++held;
      });
    }
    pieces.spans = std::move(out);
  }

 private:
  int64_t length_;
};

/// Writes every piece anew by `write(piece, is_first, out)`, where is_first says that the piece starts the whole text.
template <typename Write>
void rewrite(Pieces& pieces, Write&& write) {
  Pieces out;
  out.text.reserve(pieces.text.size() * 3 / 2);
  for (const Span& span : pieces.spans) {
    const size_t begin = out.text.size();
    write(pieces.at(span), pieces.is_first(span), out.text);
    out.spans.push_back({begin, out.text.size()});
  }
  out.starts = !pieces.spans.empty() && pieces.is_first(pieces.spans[0]);
  pieces = std::move(out);
}

class MetaspaceSplit : public PreTokenizerStep {
 public:
  explicit MetaspaceSplit(const pre_tokenizers::Metaspace& metaspace) : metaspace_(metaspace) {
    if (metaspace.split) {
      split_.emplace(
          pre_tokenizers::Split{.pattern = {.kind = TextPattern::Kind::literal, .text = metaspace.replacement},
                                .behavior = SplitBehavior::merged_with_next});
    }
  }

  void apply(Pieces& pieces) const override {
    rewrite(pieces, [this](std::string_view piece, bool is_first, std::string& out) {
      if (!piece.starts_with(metaspace_.replacement) && !piece.starts_with(' ') && prepends(is_first)) {
        out += metaspace_.replacement;
      }
      for (const char byte : piece) {
        if (byte == ' ') {
          out += metaspace_.replacement;
        } else {
          out += byte;
        }
      }
    });
    if (split_) {
      split_->apply(pieces);
    }
  }

 private:
  bool prepends(bool is_first) const {
    using Prepend = pre_tokenizers::Metaspace::Prepend;
    return metaspace_.prepend == Prepend::always || (metaspace_.prepend == Prepend::first && is_first);
  }

  pre_tokenizers::Metaspace metaspace_;
  std::optional<PatternSplit> split_;
};

/// GPT-2's words, as they are or in its alphabet of bytes.
class ByteLevelSplit : public PreTokenizerStep {
 public:
  enum class Output { bytes, alphabet };
  ByteLevelSplit(const pre_tokenizers::ByteLevel& description, Output output)
      : add_prefix_space_(description.add_prefix_space), output_(output) {
    if (description.use_regex) {
      split_.emplace(
          pre_tokenizers::Split{.pattern = {.kind = TextPattern::Kind::regex, .text = std::string(kGpt2Pattern)},
                                .behavior = SplitBehavior::isolated});
    }
  }

  void apply(Pieces& pieces) const override {
    if (add_prefix_space_) {
      rewrite(pieces, [](std::string_view piece, bool, std::string& out) {
        out.append(piece.starts_with(' ') ? "" : " ").append(piece);
      });
    }
    if (split_) {
      split_->apply(pieces);
    }
    if (output_ == Output::alphabet) {
      rewrite(pieces, [](std::string_view piece, bool, std::string& out) { append_as_characters(piece, out); });
    }
  }

 private:
  bool add_prefix_space_;
  Output output_;
  std::optional<PatternSplit> split_;
};

using Step = std::unique_ptr<const PreTokenizerStep>;

struct Make {
  Step operator()(const pre_tokenizers::ByteLevel& it) const {
    return std::make_unique<ByteLevelSplit>(it, ByteLevelSplit::Output::alphabet);
  }
  Step operator()(const pre_tokenizers::Split& it) const { return std::make_unique<PatternSplit>(it); }
  Step operator()(const pre_tokenizers::Digits& it) const {
    return std::make_unique<CharacterSplit>(characters::is_numeric,
                                            it.individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
  }
  Step operator()(const pre_tokenizers::Whitespace&) const { return std::make_unique<WhitespaceSplit>(); }
  Step operator()(const pre_tokenizers::WhitespaceSplit&) const {
    return std::make_unique<CharacterSplit>(characters::is_whitespace, SplitBehavior::removed);
  }
  Step operator()(const pre_tokenizers::Bert&) const { return std::make_unique<BertSplit>(); }
  Step operator()(const pre_tokenizers::Metaspace& it) const { return std::make_unique<MetaspaceSplit>(it); }
  Step operator()(const pre_tokenizers::Punctuation& it) const {
    return std::make_unique<CharacterSplit>(characters::is_punctuation, it.behavior);
  }
  Step operator()(const pre_tokenizers::FixedLength& it) const { return std::make_unique<FixedLengthSplit>(it.length); }
};

}  // namespace

Step make_pre_tokenizer(const PreTokenizer& description) { return std::visit(Make{}, description); }

Step make_byte_level(const pre_tokenizers::ByteLevel& description) {
  return std::make_unique<ByteLevelSplit>(description, ByteLevelSplit::Output::bytes);
}

}  // namespace terse::calibration
