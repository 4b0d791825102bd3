#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "formats/gguf/family.h"
#include "formats/rope_config.h"

namespace terse::gguf {

// Rotary positions in metadata: rope.dimension_count, rope.freq_base, rope.scaling.*; Llama 3's scaling is a tensor,
// rope_freqs.weight, by whose entries the frequencies of pairs are divided. Phi-3's are two, one for contexts that are
// longer than those that it was trained on.

inline constexpr std::string_view kRotaryFactors = "rope_freqs.weight";
inline constexpr std::string_view kLongFactors = "rope_factors_long.weight",
                                  kShortFactors = "rope_factors_short.weight";

/// Errors: unsupported for a scaling that llama.cpp's metadata cannot say.
void write_rope(const RopeConfig& rope, int64_t head_size, ArchitectureKeys& keys);

/// rope_freqs.weight where the scaling needs it.
std::vector<DerivedTensor> rope_tensors(const RopeConfig& rope, int64_t head_size);

/// Puts rope_theta and rope_scaling into `config`. Llama 3's parameters are told from the tensor's entries.
/// Errors: unsupported for other scalings or entries.
void read_rope(const File& file, const ArchitectureKeys& keys, int64_t head_size, nlohmann::ordered_json& config);

}  // namespace terse::gguf
