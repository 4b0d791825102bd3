#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "calibration/sample_measures.h"
#include "formats/model.h"

namespace terse::calibration {

/// How text becomes samples, which depends on what the model is for.
enum class TextForm {
  windows,  ///< causal language models: contiguous windows of all text
  lines,    ///< encoders, masked language models, classifiers: each line by itself
  halves,   ///< encoder-decoders: a window's first half for the encoder, its second for the decoder
};

/// The form for `model`. Encoder-decoders are known by their input `decoder_input_ids`; other models are run on a few
/// of `ids` (one to eight tokens, or as many as the graph declares) to see what they are for. Errors as Executor's.
TextForm find_text_form(const Model& model, std::span<const int32_t> ids);

/// True for graphs with an input `decoder_input_ids`.
bool is_encoder_decoder(const Graph& graph);

/// The number of tokens that the graph declares for its input_ids, if it is fixed.
std::optional<int64_t> declared_tokens(const Graph& graph);

/// The number of tokens that the graph has learned positions for, if it has such a table.
std::optional<int64_t> learned_positions(const Graph& graph);

/// `ids` as an array [1, tokens] of 64-bit integers.
Tensor to_ids_tensor(std::span<const int32_t> ids);

}  // namespace terse::calibration
