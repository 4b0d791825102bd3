#pragma once

#include "formats/architectures/llama_like.h"

namespace terse::architectures {

/// What the first two versions of Gemma share: Llama's names, rows of the table times sqrt(hidden), norms that multiply
/// by 1 + weight, the tanh form of gelu, a tied head.
DecoderTraits read_gemma_like(const JsonField& config);

}  // namespace terse::architectures
