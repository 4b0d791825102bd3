#pragma once

#include "formats/architectures/llama_like.h"

namespace terse::architectures {

/// What Granite's models have beyond Llama's: factors of embeddings, scores, residuals and logits, and biases of
/// attention where the configuration says so.
DecoderTraits read_granite_like(const JsonField& config);

}  // namespace terse::architectures
