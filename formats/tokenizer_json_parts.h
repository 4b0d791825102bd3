#pragma once

#include <vector>

#include "formats/json_fields.h"
#include "formats/vocabulary.h"

namespace terse {

// The parts of a tokenizer.json around its model, appended in the order in which they act: a "Sequence" is its parts.

void read_normalizer(const JsonField& field, std::vector<Normalizer>& out);
void read_pre_tokenizer(const JsonField& field, std::vector<PreTokenizer>& out);
void read_decoder(const JsonField& field, std::vector<Decoder>& out);
/// Fills the tokens around a single text.
void read_post_processor(const JsonField& field, Vocabulary& out);

}  // namespace terse
