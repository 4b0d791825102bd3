#pragma once

#include "calibration/executor.h"
#include "formats/model.h"

namespace terse::calibration {

// Exporters write an encoder-decoder as files: encoder_model.onnx gives `last_hidden_state`, decoder_model.onnx takes
// it as `encoder_hidden_states`, beside `input_ids` of its own and the encoder's mask as `encoder_attention_mask`.
// Samples are of the whole model: input_ids, attention_mask, decoder_input_ids.

/// True for such an encoder's graph, and for such a decoder's.
bool gives_hidden_states(const Graph& graph);
bool takes_hidden_states(const Graph& graph);

/// Without a graph, but with the inputs of the whole that `decoder` is a part of: what data is read for.
Model whole_of(const Model& decoder);

/// An encoder, ready to run for a decoder.
class EncoderFeed {
 public:
  /// `encoder` must outlive this. Error unsupported as of Executor.
  explicit EncoderFeed(const Model& encoder);

  /// A sample of the whole as one of the decoder. Any thread. Errors: as of Executor::run and complete_sample.
  Sample feed(const Model& decoder, const Sample& whole) const;

 private:
  const Model& encoder_;
  Executor executor_;
};

}  // namespace terse::calibration
