#pragma once

#include "formats/architectures/encoder.h"

namespace terse::architectures {

/// What BERT calls the parts of its embeddings and layers, as most encoders that came after it do.
inline constexpr EncoderNames kBertLikeNames = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .token_types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .attention_output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .output_norm = "output.LayerNorm",
};

/// The traits that such a family's configuration says under BERT's keys. `model`: the scope of all but the heads, of
/// static storage; `hidden_act`: the activation where the configuration names none. A row adds its heads, and changes
/// what its family does otherwise.
EncoderTraits read_bert_like(const JsonField& config, std::string_view model, std::string_view hidden_act);

}  // namespace terse::architectures
