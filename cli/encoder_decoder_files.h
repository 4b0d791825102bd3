#pragma once

#include "cli/output_file.h"

namespace terse::cli {

/// True if OUT is to be a folder for an encoder-decoder's parts: --to onnx, no extension, and MODEL is a folder of one.
bool wants_parts(const OutputOptions& options, const Model& model);

/// Writes encoder_model.onnx and decoder_model.onnx with config.json and tokenizer beside them, as transformers'
/// exporters call them; complete or absent. Gives the bytes of the models.
int64_t write_parts(const OutputOptions& options, const Model& model);

}  // namespace terse::cli
