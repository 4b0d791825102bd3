#pragma once

#include "formats/architectures/decoder.h"
#include "formats/json_fields.h"

namespace terse::architectures {

/// What a family calls its sizes. Of static storage.
struct GptLikeKeys {
  std::string_view hidden = "n_embd", heads = "n_head", layers = "n_layer";
  std::string_view inner = "n_inner";  ///< absent, or null: four times hidden
};

/// The traits that GPT-2 and its kin share: LayerNorm, as many keys as queries, a feed-forward of two linears with
/// biases, a head that is the table. A family's row changes what it does otherwise.
DecoderTraits read_gpt_like(const JsonField& config, const DecoderNames& names, const GptLikeKeys& keys = {});

}  // namespace terse::architectures
