#include "formats/vocab_txt.h"

#include <algorithm>
#include <array>

#include "formats/error.h"

namespace terse {
namespace {

/// Of equal lines the last one counts.
std::optional<int32_t> find_token(const Vocabulary& vocabulary, std::string_view text) {
  for (size_t id = vocabulary.tokens.size(); id-- > 0;) {
    if (vocabulary.tokens[id].text == text) {
      return static_cast<int32_t>(id);
    }
  }
  return std::nullopt;
}

int32_t get_token(const Vocabulary& vocabulary, std::string_view text) {
  const auto found = find_token(vocabulary, text);
  if (!found) {
    throw Error(Kind::input, "none of {} lines is '{}'", vocabulary.tokens.size(), text);
  }
  return *found;
}

}  // namespace

Vocabulary read_vocab_txt(std::string_view text, const normalizers::Bert& normalizer) {
  Vocabulary out{.model = TokenizerModel::wordpiece, .continuing_subword_prefix = "##"};
  while (!text.empty()) {
    if (out.tokens.size() == static_cast<size_t>(kMostTokens)) {
      throw Error(Kind::input, "more than {} lines", kMostTokens);
    }
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    while (!line.empty() && (line.ends_with('\r') || line.ends_with(' ') || line.ends_with('\t'))) {
      line.remove_suffix(1);
    }
    out.tokens.push_back({.text = std::string(line)});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out.unknown = get_token(out, "[UNK]");
  out.prefix = {get_token(out, "[CLS]")};
  out.suffix = {get_token(out, "[SEP]")};
  for (const std::string_view special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    if (const auto id = find_token(out, special)) {
      out.added.push_back({.id = *id, .content = std::string(special), .special = true});
    }
  }
  out.normalizers = {normalizer};
  out.pre_tokenizers = {pre_tokenizers::Bert{}};
  out.decoders = {decoders::WordPiece{}};
  return out;
}

}  // namespace terse
