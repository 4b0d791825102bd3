#include "formats/gguf/token_arrays.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/gguf/tokenizer_keys.h"
#include "formats/utf8.h"

namespace terse::gguf {
namespace {

using Token = Vocabulary::Token;
using Tokens = std::vector<Token>;

void expect_length(size_t length, size_t tokens, std::string_view key) {
  if (length != tokens) {
    throw Error(Kind::input, "metadata '{}' has {} elements, expected {}, one a token", key, length, tokens);
  }
}

Tokens read_texts(const Metadata& metadata) {
  Tokens tokens;
  const auto* texts = find_values<std::string>(metadata, kTokensKey, "string");
  if (texts == nullptr) {
    throw Error(Kind::input, "metadata '{}' is missing: the tokenizer has no tokens", kTokensKey);
  }
  if (texts->size() > static_cast<size_t>(kMostTokens)) {
    throw Error(Kind::input, "metadata '{}' has {} elements, expected {} at most", kTokensKey, texts->size(),
                kMostTokens);
  }
  for (const std::string& text : *texts) {
    if (!is_utf8(text)) {
      throw Error(Kind::input, "metadata '{}': token {} is not UTF-8", kTokensKey, tokens.size());
    }
    tokens.push_back({.text = text});
  }
  return tokens;
}

void read_scores(const Metadata& metadata, Tokens& tokens) {
  const MetadataArray* array = metadata.find_array(kScoresKey);
  if (array == nullptr) {
    return;
  }
  expect_length(static_cast<size_t>(array->count()), tokens.size(), kScoresKey);
  if (const auto* whole = std::get_if<std::vector<int32_t>>(&array->values)) {
    std::ranges::transform(*whole, tokens, tokens.begin(), [](int32_t score, Token token) {
      token.score = score;
      return token;
    });
    return;
  }
  const auto* scores = find_values<float>(metadata, kScoresKey, "f32");
  for (size_t id = 0; id < scores->size(); ++id) {
    if (!std::isfinite((*scores)[id])) {
      throw Error(Kind::input, "metadata '{}': token {} has the score {}", kScoresKey, id, (*scores)[id]);
    }
    tokens[id].score = (*scores)[id];
  }
}

/// Types that llama.cpp does not know count as normal.
Token::Kind kind_of(int32_t type) {
  constexpr std::array kKinds = {Token::Kind::normal,  Token::Kind::normal,       Token::Kind::unknown,
                                 Token::Kind::control, Token::Kind::user_defined, Token::Kind::unused,
                                 Token::Kind::byte};
  const auto index = static_cast<size_t>(type);
  return type >= 0 && index < kKinds.size() ? kKinds.at(index) : Token::Kind::normal;
}

/// The converter's name for an id that no text has.
bool is_padding(const Token& token, size_t id) {
  const std::string_view text = token.text;
  return token.kind == Token::Kind::unused &&
         text.substr(text.starts_with(kSpace) ? kSpace.size() : 0) == fmt::format("[PAD{}]", id);
}

void read_types(const Metadata& metadata, Tokens& tokens) {
  const auto* types = find_values<int32_t>(metadata, kTokenTypesKey, "i32");
  if (types == nullptr) {
    return;
  }
  expect_length(types->size(), tokens.size(), kTokenTypesKey);
  for (size_t id = 0; id < types->size(); ++id) {
    Token& token = tokens[id];
    token.kind = kind_of((*types)[id]);
    if (is_padding(token, id)) {
      token.text.clear();
    }
  }
}

}  // namespace

std::vector<Token> read_tokens(const Metadata& metadata) {
  Tokens tokens = read_texts(metadata);
  read_scores(metadata, tokens);
  read_types(metadata, tokens);
  return tokens;
}

}  // namespace terse::gguf
