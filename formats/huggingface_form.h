#pragma once

#include "formats/vocabulary.h"

namespace terse {

/// A SentencePiece vocabulary in the parts that Hugging Face's tokenizers have, as transformers converts it: BPE by
/// score becomes BPE by rank, with a merge for each way to make a token of two others, the greatest score first; the
/// normalizer becomes a sequence of smaller ones. Texts get the same ids unless two tokens have equal scores. Other
/// vocabularies stay as they are.
/// Source: transformers' convert_slow_tokenizer.py.
Vocabulary huggingface_form(Vocabulary vocabulary);

}  // namespace terse
