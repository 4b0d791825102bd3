#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json_fields.h"

namespace terse {

// What a checkpoint's config.json says, as transformers 4 and transformers 5 spell it. A configuration is hostile until
// checked: sizes are limited so that products of two fit. Errors: input, naming key, found and expected.

inline constexpr int64_t kMostLayers = 4096;
inline constexpr int64_t kGreatestSize = int64_t{1} << 24;  ///< of anything that a tensor has as a dimension

/// 1 to kGreatestSize.
int64_t get_size(const JsonField& config, std::string_view key);
int64_t size_or(const JsonField& config, std::string_view key, int64_t fallback);

/// 1 to kMostLayers.
int64_t get_layers(const JsonField& config, std::string_view key);

/// A number that fits f32.
float number_or(const JsonField& config, std::string_view key, float fallback);
/// A number above 0, not infinite.
float get_positive(const JsonField& config, std::string_view key);
float positive_or(const JsonField& config, std::string_view key, float fallback);

/// The dimensions of a head: hidden_key / heads_key, which must be whole.
int64_t read_head_size(const JsonField& config, std::string_view hidden_key, std::string_view heads_key);

struct HeadSizes {
  int64_t heads = 0, kv_heads = 0, head_size = 0;
};

/// num_attention_heads; num_key_value_heads, absent: as many; head_dim, absent: hidden_size / heads.
HeadSizes read_heads(const JsonField& config);

/// The attention window of each layer by `layer_types`, `sliding_window`, `use_sliding_window`; 0: it sees everything.
/// Without layer_types all layers have the window. `absent`: the window if there is no such key; null is none.
std::vector<int64_t> read_windows(const JsonField& config, int64_t layers, int64_t absent = 0);

/// A token's id, such as `pad_token_id`; nothing if it is absent or negative.
std::optional<int64_t> find_token(const JsonField& config, std::string_view key);

/// The number of classes: `num_labels`, else what `id2label` lists, else 2.
int64_t read_label_count(const JsonField& config);

}  // namespace terse
