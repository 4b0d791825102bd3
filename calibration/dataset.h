#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "calibration/executor.h"
#include "formats/model.h"

namespace terse::calibration {

// Data for a model:
//   FILE.npz             an array a graph input, by name; the leading axis counts samples. An array of the input's rank
//                        gives slices [1, ...], one of a rank more slices without the leading axis. `labels`, which is
//                        no input, holds a class a
//                        sample; arrays with the name of a graph output are skipped.
//   FILE.npy             the same for the one input that has no default (of a language model: input_ids). Token ids of
//                        a rank less ([tokens] for an input [batch, tokens]) are one text: it is cut into windows of
//                        seq_len tokens without overlap, a shorter rest is dropped.
//   test_data_set_*/     ONNX's own form: input_0.pb, input_1.pb, ...; a sample a folder. A folder of such folders too.
//   FILE.txt, FILE.jsonl text, which the model's tokenizer turns into samples (see text_samples.h; what a .jsonl file
//                        holds: formats/documents.h).
// Integers become the input's integer type if they fit. Inputs that are left out are made up where their name says how
// (see calibration/inputs.h).

struct DataOptions {
  std::optional<int64_t> samples;   ///< the first so many; 0: all; absent: 128 if there is text, else all
  std::optional<int64_t> seq_len;   ///< tokens a window; absent: 512, or of text what TextOptions says
  std::filesystem::path tokenizer;  ///< for text: the tokenizer's file or folder; empty: none
  std::filesystem::path labels;     ///< a class a sample: see labels.h; empty: none but those in the data
};

struct Dataset {
  std::vector<Sample> samples;        ///< complete
  std::vector<int64_t> labels;        ///< a class a sample, or empty
  std::string rule;                   ///< how text became samples, in words; empty without text
  std::optional<int64_t> mask_token;  ///< of the text's tokenizer
};

/// Reads the files in their order. Errors: io, input (with file, array, found, expected); usage for a form that is not
/// known;
/// as TextReader's for text.
Dataset read_dataset(const Model& model, const std::vector<std::filesystem::path>& files, const DataOptions& options);

}  // namespace terse::calibration
