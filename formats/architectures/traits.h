#pragma once

#include <cstdint>
#include <string_view>

#include "formats/json_fields.h"

namespace terse::architectures {

/// A size as config.json says it, and the key that says it, which errors name: {768, "hidden_size"}.
struct Size {
  int64_t value = 0;
  std::string_view key;  ///< of static storage; of a product: "num_attention_heads * head_dim"
};

/// Whether the head is the table of token embeddings.
enum class Tie { never, by_default };

/// Errors: as of get_size. `key` must live as long as the program.
Size read_size(const JsonField& config, std::string_view key);

/// By `tie_word_embeddings`.
Tie read_tie(const JsonField& config);

}  // namespace terse::architectures
