#include "calibration/tokenizers/decoders.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "calibration/tokenizers/byte_alphabet.h"
#include "calibration/tokenizers/pattern.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"
#include "formats/utf8.h"

namespace terse::calibration {
namespace {

using Tokens = std::vector<std::string>;
using Step = std::unique_ptr<const DecoderStep>;

template <typename Function>
class FunctionStep : public DecoderStep {
 public:
  explicit FunctionStep(Function function) : function_(std::move(function)) {}
  void apply(Tokens& tokens) const override { function_(tokens); }

 private:
  Function function_;
};

template <typename Function>
Step step(Function function) {
  return std::make_unique<FunctionStep<Function>>(std::move(function));
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos && !what.empty(); at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

/// Tokens that are not of the alphabet stand for their own bytes.
void decode_bytes(Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) {
    bytes += bytes_of_characters(token).value_or(token);
  }
  tokens = {utf8::made_valid(std::move(bytes))};
}

/// The byte of <0x4A>.
std::optional<char> byte_of(std::string_view token) {
  unsigned value = 0;
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>') ||
      std::from_chars(token.data() + 3, token.data() + 5, value, 16).ptr != token.data() + 5) {
    return std::nullopt;
  }
  return static_cast<char>(value);
}

/// A run of bytes becomes its text, or if it is none, U+FFFD for each byte.
void decode_fallen_back(Tokens& tokens) {
  Tokens out;
  std::string bytes;
  const auto finish = [&] {
    if (bytes.empty()) {
      return;
    }
    if (is_utf8(bytes)) {
      out.push_back(bytes);
    } else {
      out.insert(out.end(), bytes.size(), "\uFFFD");
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes.push_back(*byte);
    } else {
      finish();
      out.push_back(std::move(token));
    }
  }
  finish();
  tokens = std::move(out);
}

void fuse(Tokens& tokens) {
  std::string all;
  for (const std::string& token : tokens) {
    all += token;
  }
  tokens = {std::move(all)};
}

void decode_metaspace(Tokens& tokens, const decoders::Metaspace& metaspace) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    replace_all(tokens[i], metaspace.replacement, i == 0 && metaspace.strip_first ? "" : " ");
  }
}

/// Source: Hugging Face's clean_up_tokenization, which undoes the spaces of English tokenizers.
void clean_up(std::string& text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRows = {{{" .", "."},
                                                                                           {" ?", "?"},
                                                                                           {" !", "!"},
                                                                                           {" ,", ","},
                                                                                           {" ' ", "'"},
                                                                                           {" n't", "n't"},
                                                                                           {" 'm", "'m"},
                                                                                           {" do not", " don't"},
                                                                                           {" 's", "'s"},
                                                                                           {" 've", "'ve"},
                                                                                           {" 're", "'re"}}};
  for (const auto& [what, by] : kRows) {
    replace_all(text, what, by);
  }
}

void decode_wordpiece(Tokens& tokens, const decoders::WordPiece& wordpiece) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i != 0 && tokens[i].starts_with(wordpiece.prefix)) {
      tokens[i].erase(0, wordpiece.prefix.size());
    } else if (i != 0) {
      tokens[i].insert(0, " ");
    }
    if (wordpiece.cleanup) {
      clean_up(tokens[i]);
    }
  }
}

void strip(Tokens& tokens, const decoders::Strip& sides) {
  for (std::string& token : tokens) {
    for (int64_t i = 0; i < sides.start && token.starts_with(sides.content); ++i) {
      token.erase(0, sides.content.size());
    }
    for (int64_t i = 0; i < sides.stop && token.ends_with(sides.content); ++i) {
      token.resize(token.size() - sides.content.size());
    }
  }
}

void decode_bpe(Tokens& tokens, const std::string& suffix) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
  }
}

class Replace : public DecoderStep {
 public:
  explicit Replace(const decoders::Replace& description)
      : pattern_(description.pattern), content_(description.content) {}

  void apply(Tokens& tokens) const override {
    Pattern::Search search(pattern_);
    for (std::string& token : tokens) {
      std::string out;
      size_t done = 0;
      search.start(token);
      for (auto found = token.empty() ? std::nullopt : search.next(); found; found = search.next()) {
        out.append(token, done, found->begin - done).append(content_);
        done = found->end;
      }
      token = out.append(token, done);
    }
  }

 private:
  Pattern pattern_;
  std::string content_;
};

struct Make {
  Step operator()(const decoders::ByteLevel&) const { return step(decode_bytes); }
  Step operator()(const decoders::ByteFallback&) const { return step(decode_fallen_back); }
  Step operator()(const decoders::Fuse&) const { return step(fuse); }
  Step operator()(const decoders::Metaspace& it) const {
    return step([it](Tokens& tokens) { decode_metaspace(tokens, it); });
  }
  Step operator()(const decoders::WordPiece& it) const {
    return step([it](Tokens& tokens) { decode_wordpiece(tokens, it); });
  }
  Step operator()(const decoders::Strip& it) const {
    return step([it](Tokens& tokens) { strip(tokens, it); });
  }
  Step operator()(const decoders::Replace& it) const { return std::make_unique<Replace>(it); }
  Step operator()(const decoders::Bpe& it) const {
    return step([suffix = it.suffix](Tokens& tokens) { decode_bpe(tokens, suffix); });
  }
  Step operator()(const decoders::Unsupported& it) const {
    return step([name = it.name](Tokens&) {
      throw Error(Kind::unsupported, "terse cannot turn ids into text for a tokenizer with the decoder '{}'", name);
    });
  }
};

}  // namespace

Step make_decoder(const Decoder& description) { return std::visit(Make{}, description); }

}  // namespace terse::calibration
