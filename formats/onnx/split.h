#pragma once

#include "formats/model.h"

namespace terse::onnx {

/// An encoder-decoder as two models, with the inputs and outputs that transformers' exporters give the files
/// encoder_model.onnx (input_ids, attention_mask -> last_hidden_state) and decoder_model.onnx (input_ids,
/// encoder_attention_mask, encoder_hidden_states -> logits). A table that both use is in both.
struct EncoderAndDecoder {
  Model encoder, decoder;
};

/// Where the encoder ends in graphs that architectures::build makes: a value of this name.
inline constexpr std::string_view kEncoded = "encoder_last_hidden_state";

/// True if the graph can be split: it has that value, and an input decoder_input_ids.
bool is_encoder_decoder(const Graph& graph);

/// Weights are shared with `whole`. Precondition: is_encoder_decoder.
EncoderAndDecoder split_encoder_decoder(const Model& whole);

}  // namespace terse::onnx
