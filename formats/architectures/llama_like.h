#pragma once

#include "formats/architectures/decoder.h"
#include "formats/json_fields.h"

namespace terse::architectures {

/// What most decoders of today share, by the keys and names of Llama: RMS norms, rotary positions, grouped keys and
/// values, gated feed-forward, no biases, no windows. A family's row changes what it does otherwise.
DecoderTraits read_llama_like(const JsonField& config, const RopeDefaults& defaults = {});

/// How many experts there are, by `count_key`, and how many a token goes through, by num_experts_per_tok.
ExpertsTraits read_experts(const JsonField& config, const ExpertNames& names, std::string_view count_key);

/// The windows of Qwen's models without layer_types: those of the layers from max_window_layers on, and only if
/// use_sliding_window says true.
std::vector<int64_t> read_late_windows(const JsonField& config, int64_t layers);

/// A bias where the configuration says true; absent means false.
Bias bias_if(const JsonField& config, std::string_view key);

}  // namespace terse::architectures
