#pragma once

#include <cstdint>
#include <vector>

#include "formats/json_fields.h"

namespace terse::architectures {

/// What differs from layer to layer of an OpenELM.
struct OpenelmLayer {
  int64_t heads = 0, kv_heads = 0;
  int64_t inner = 0;  ///< width of the feed-forward, as the family rounds its multiplier
};

/// Errors: input, naming the key, if a list is of another length than there are layers, or holds what is no size.
std::vector<OpenelmLayer> read_openelm_layers(const JsonField& config);

}  // namespace terse::architectures
