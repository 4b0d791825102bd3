#pragma once

#include "formats/architectures/decoder.h"

namespace terse::architectures {

struct DecoderHeadInputs {
  ValueId ids = kNoValue;     ///< of the tokens, [batch, sequence]
  ValueId table = kNoValue;   ///< of the tokens' embeddings
  ValueId hidden = kNoValue;  ///< behind the last norm, [batch, sequence, hidden]
};

/// Adds a decoder's output: see build_decoder.
void add_decoder_head(Blocks& blocks, const DecoderTraits& traits, Head head, const DecoderHeadInputs& inputs);

}  // namespace terse::architectures
