#pragma once

#include <string>

#include "formats/vocabulary.h"

namespace terse {

/// A vocabulary as the text of a tokenizer.json, which `read_tokenizer_json` and Hugging Face's tokenizers read as the
/// same vocabulary. Error unsupported for the models and parts that are SentencePiece's own: see huggingface_form.h.
std::string write_tokenizer_json(const Vocabulary& vocabulary);

}  // namespace terse
