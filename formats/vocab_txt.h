#pragma once

#include <string_view>

#include "formats/vocabulary.h"

namespace terse {

/// Reads vocab.txt, a token a line, as BERT's WordPiece vocabulary with BERT's text cleaning, [CLS] and [SEP] around a
/// text. Errors: input if [UNK], [CLS] or [SEP] is missing.
Vocabulary read_vocab_txt(std::string_view text, const normalizers::Bert& normalizer = {});

}  // namespace terse
