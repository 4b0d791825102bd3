#include "formats/gguf/token_list.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "formats/gguf/tokenizer_keys.h"

namespace terse::gguf {
namespace {

using TokenKind = Vocabulary::Token::Kind;

constexpr int32_t kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6;

// What llama.cpp's converter gives tokens without a score of their own.
constexpr float kPaddingScore = -10000, kAddedScore = -1000;

int32_t type_of(TokenKind kind) {
  constexpr std::array<int32_t, 6> kTypes = {1, 2, kControl, kUserDefined, kUnused, kByte};
  return kTypes.at(static_cast<size_t>(kind));
}

/// Tokens that some files forget to call special. Source: conversion/base.py of llama.cpp.
bool looks_special(std::string_view text) {
  constexpr std::array<std::string_view, 4> kTexts = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kEnds = {
      {{"<|", "|>"}, {"<\uff5c", "\uff5c>"}, {"<unused", ">"}}};
  return std::ranges::find(kTexts, text) != kTexts.end() || std::ranges::any_of(kEnds, [&](const auto& ends) {
           return text.starts_with(ends.first) && text.ends_with(ends.second);
         });
}

/// llama.cpp compares tokens of the user's with the text as it is.
std::string with_spaces(std::string text) {
  constexpr std::string_view kSpace = "\u2581";
  for (size_t at = text.find(kSpace); at != std::string::npos; at = text.find(kSpace, at + 1)) {
    text.replace(at, kSpace.size(), " ");
  }
  return text;
}

bool is_byte(std::string_view text) {
  return text.size() == 6 && text.starts_with("<0x") && text.ends_with('>') &&
         text.substr(3, 2).find_first_not_of("0123456789ABCDEFabcdef") == std::string_view::npos;
}

}  // namespace

TokenList::TokenList(const Vocabulary& vocabulary, int64_t size) {
  const auto count = static_cast<size_t>(std::clamp<int64_t>(size, 0, kMostTokens));
  if (vocabulary.tokens.size() > count) {
    throw Error(Kind::input, "the tokenizer has {} tokens, but the model's table only {} rows",
                vocabulary.tokens.size(), size);
  }
  scores.assign(count, kPaddingScore);
  types.assign(count, kUnused);
  for (size_t id = 0; id < count; ++id) {
    texts.push_back(fmt::format("[PAD{}]", id));
  }
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Vocabulary::Token& token = vocabulary.tokens[id];
    if (!token.text.empty()) {
      texts[id] = token.text;
      scores[id] = static_cast<float>(token.score);
      types[id] = vocabulary.byte_fallback && is_byte(token.text) ? kByte : type_of(token.kind);
    }
  }
  for (const Vocabulary::AddedToken& token : vocabulary.added) {
    const auto id = static_cast<size_t>(token.id);
    if (id < count) {
      const bool special = token.special || looks_special(token.content);
      texts[id] = special ? token.content : with_spaces(token.content);
      scores[id] = kAddedScore;
      types[id] = special ? kControl : kUserDefined;
    }
  }
}

void TokenList::set_scores(std::span<const float> values) {
  for (size_t id = 0; id < values.size(); ++id) {
    if (types[id] != kControl && types[id] != kUserDefined && types[id] != kUnused) {
      scores[id] = values[id];
    }
  }
}

void TokenList::mark_words() {
  for (size_t id = 0; id < texts.size(); ++id) {
    if (texts[id].starts_with("##\u2581")) {  // would look like the beginning of a word
      texts[id] = fmt::format("[PAD{}]", id);
      types[id] = kUnused;
    }
    if (types[id] != kControl) {
      texts[id] = texts[id].starts_with("##") ? texts[id].substr(2) : "\u2581" + texts[id];
    }
  }
}

void set_tokens(TokenList tokens, Metadata& metadata) {
  metadata.set(kTokensKey, MetadataArray{std::move(tokens.texts)});
  metadata.set(kTokenTypesKey, MetadataArray{std::move(tokens.types)});
}

void set_scored_tokens(TokenList tokens, Metadata& metadata) {
  metadata.set(kTokensKey, MetadataArray{std::move(tokens.texts)});
  metadata.set(kScoresKey, MetadataArray{std::move(tokens.scores)});
  metadata.set(kTokenTypesKey, MetadataArray{std::move(tokens.types)});
}

}  // namespace terse::gguf
