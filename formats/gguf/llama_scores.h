#pragma once

#include <optional>
#include <vector>

#include "formats/vocabulary.h"

namespace terse::gguf {

/// Scores, by id, with which merging by score gives what the vocabulary's merges by rank give. llama.cpp merges any two
/// neighbours whose text is a token, so there are such scores only if the merges have every way to make a token of two
/// others, one token after the other, as those have that were made from a SentencePiece model. nullopt else.
std::optional<std::vector<float>> find_scores(const Vocabulary& vocabulary);

}  // namespace terse::gguf
