#include "formats/huggingface_form.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace terse {
namespace {

using Token = Vocabulary::Token;

constexpr std::string_view kSpace = "\u2581";

constexpr size_t kLongest = 1024;  // bytes of a token; the work grows with their square

/// Tokens that merging makes, or makes others of.
bool is_piece(const Token& token) {
  return (token.kind == Token::Kind::normal || token.kind == Token::Kind::unused) && !token.text.empty() &&
         token.text.size() <= kLongest;
}

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

/// The merges of all pieces, the greatest score first; of one piece, the parts with the smallest ids first.
std::vector<Vocabulary::Merge> merges_of(const std::vector<Token>& tokens) {
  std::unordered_map<std::string_view, int32_t> ids;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (is_piece(tokens[id])) {
      ids.insert_or_assign(tokens[id].text, static_cast<int32_t>(id));
    }
  }
  std::vector<Vocabulary::Merge> merges;
  for (const auto& [text, id] : ids) {
    for (size_t at = 1; at < text.size(); ++at) {
      const auto left = begins_character(text[at]) ? ids.find(text.substr(0, at)) : ids.end();
      const auto right = left != ids.end() ? ids.find(text.substr(at)) : ids.end();
      if (right != ids.end()) {
        merges.push_back({.left = left->second, .right = right->second, .merged = id});
      }
    }
  }
  std::ranges::sort(merges, {}, [&](const Vocabulary::Merge& it) {
    return std::tuple(-tokens[static_cast<size_t>(it.merged)].score, it.merged, it.left, it.right);
  });
  return merges;
}

normalizers::Replace replace_literal(std::string_view text, std::string_view content) {
  return {.pattern = {.kind = TextPattern::Kind::literal, .text = std::string(text)}, .content = std::string(content)};
}

normalizers::Replace replace_pattern(std::string_view pattern, std::string_view content) {
  return {.pattern = {.kind = TextPattern::Kind::regex, .text = std::string(pattern)}, .content = std::string(content)};
}

std::vector<Normalizer> split_normalizer(const normalizers::SentencePiece& whole) {
  std::vector<Normalizer> out;
  if (!whole.charsmap.empty()) {
    out.emplace_back(normalizers::Precompiled{whole.charsmap});
  }
  if (whole.remove_extra_whitespaces) {  // spaces only: Strip would take all white space
    out.emplace_back(replace_pattern("\\A +| +\\z", ""));
    out.emplace_back(replace_pattern(" {2,}", " "));
  }
  if (whole.add_dummy_prefix) {
    out.emplace_back(normalizers::Prepend{std::string(kSpace)});
  }
  out.emplace_back(replace_literal(" ", kSpace));
  return out;
}

std::vector<Decoder> decoders_of(bool has_prefix) {
  std::vector<Decoder> out = {decoders::Replace{.pattern = {.text = std::string(kSpace)}, .content = " "},
                              decoders::ByteFallback{}, decoders::Fuse{}};
  if (has_prefix) {
    out.emplace_back(decoders::Strip{.content = " ", .start = 1, .stop = 0});
  }
  return out;
}

}  // namespace

Vocabulary huggingface_form(Vocabulary vocabulary) {
  const bool is_bpe = vocabulary.model == TokenizerModel::sentencepiece_bpe;
  if (!is_bpe && vocabulary.model != TokenizerModel::sentencepiece_unigram) {
    return vocabulary;
  }
  bool has_prefix = false;
  if (!vocabulary.normalizers.empty()) {
    if (const auto* whole = std::get_if<normalizers::SentencePiece>(&vocabulary.normalizers.front())) {
      has_prefix = whole->add_dummy_prefix;
      vocabulary.normalizers = split_normalizer(normalizers::SentencePiece(*whole));
    }
  }
  vocabulary.model = is_bpe ? TokenizerModel::bpe : TokenizerModel::unigram;
  vocabulary.fuse_unknown = true;
  if (is_bpe) {
    vocabulary.merges = merges_of(vocabulary.tokens);
  }
  vocabulary.decoders = decoders_of(has_prefix);
  return vocabulary;
}

}  // namespace terse
