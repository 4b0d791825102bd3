#pragma once

#include <vector>

#include "formats/vocabulary.h"

namespace terse::gguf {

/// What merging by score, as SentencePiece and llama.cpp do it, takes for merging by rank.
struct MergeScores {
  std::vector<float> scores;  ///< by id
  /// Whether that gives the same ids: the merges have every way to make a token of two others, one token after the
  /// other, as those have that were made from a SentencePiece model. By score any two neighbours merge whose text is a
  /// token.
  bool exact = false;
};

MergeScores scores_of_merges(const Vocabulary& vocabulary);

}  // namespace terse::gguf
