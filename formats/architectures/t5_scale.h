#pragma once

#include "formats/json_fields.h"

namespace terse::architectures {

/// What a T5's decoder multiplies its output with in front of the head: d_model^-0.5 in the first version, 1 in 1.1.
/// transformers 5 writes scale_decoder_outputs; before, what was tied was scaled.
float t5_logits_scale(const JsonField& config);

}  // namespace terse::architectures
