#include "formats/gguf/llama_scores.h"

#include <algorithm>
#include <unordered_set>

#include "formats/huggingface_form.h"

namespace terse::gguf {
namespace {

using Token = Vocabulary::Token;
using Merge = Vocabulary::Merge;

/// A token that texts are merged to: found by no other means.
std::vector<bool> piece_flags(const Vocabulary& vocabulary) {
  std::vector<bool> flags;
  flags.reserve(vocabulary.tokens.size());
  for (const Token& token : vocabulary.tokens) {
    flags.push_back(!token.text.empty());
  }
  for (const Vocabulary::AddedToken& token : vocabulary.added) {
    if (static_cast<size_t>(token.id) < flags.size()) {
      flags[static_cast<size_t>(token.id)] = false;
    }
  }
  return flags;
}

std::vector<Merge> used_merges(const Vocabulary& vocabulary, const std::vector<bool>& is_piece) {
  std::vector<Merge> out;
  std::ranges::copy_if(vocabulary.merges, std::back_inserter(out), [&](const Merge& merge) {
    return is_piece[static_cast<size_t>(merge.left)] && is_piece[static_cast<size_t>(merge.right)] &&
           is_piece[static_cast<size_t>(merge.merged)];
  });
  return out;
}

/// All ways to make a piece of two others.
std::vector<Merge> possible_merges(const Vocabulary& vocabulary, const std::vector<bool>& is_piece) {
  Vocabulary pieces{.model = TokenizerModel::sentencepiece_bpe};
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    pieces.tokens.push_back({.text = is_piece[id] ? vocabulary.tokens[id].text : ""});
  }
  return huggingface_form(std::move(pieces)).merges;
}

uint64_t key_of(const Merge& merge) {
  return static_cast<uint64_t>(merge.left) << 32 | static_cast<uint32_t>(merge.right);
}

}  // namespace

MergeScores scores_of_merges(const Vocabulary& vocabulary) {
  const std::vector<bool> is_piece = piece_flags(vocabulary);
  const std::vector<Merge> merges = used_merges(vocabulary, is_piece);
  std::unordered_set<uint64_t> known;
  // 0 for what nothing is merged to, then down by one a token: whole numbers that f32 holds.
  MergeScores out{.scores = std::vector<float>(vocabulary.tokens.size()), .exact = true};
  float last = 0;
  for (const Merge& merge : merges) {
    float& score = out.scores[static_cast<size_t>(merge.merged)];
    if (score == 0) {
      score = last -= 1;
    }
    out.exact = out.exact && score == last;
    known.insert(key_of(merge));
  }
  out.exact = out.exact && std::ranges::all_of(possible_merges(vocabulary, is_piece),
                                               [&](const Merge& merge) { return known.contains(key_of(merge)); });
  return out;
}

}  // namespace terse::gguf
