#pragma once

#include "formats/architectures/encoder.h"

namespace terse::architectures {

/// The parts of an encoder between its inputs and its head; names go on from the builder's scope.

struct EncoderInputs {
  ValueId ids = kNoValue, attention_mask = kNoValue;
  ValueId token_types = kNoValue;  ///< kNoValue: there are none
};

/// What the first layer reads, [batch, sequence, width].
ValueId encoder_embeddings(Blocks& blocks, const EncoderTraits& traits, const EncoderInputs& inputs);

/// What the last layer gives, [batch, sequence, width].
ValueId encoder_layers(Blocks& blocks, const EncoderTraits& traits, const EncoderInputs& inputs, ValueId x);

}  // namespace terse::architectures
