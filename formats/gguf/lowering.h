#pragma once

#include <string_view>
#include <vector>

#include "formats/gguf/writer.h"
#include "formats/model.h"

namespace terse::gguf {

/// What a GGUF file holds for a model.
struct LoweredFile {
  Metadata metadata;
  std::vector<OutputTensor> tensors;
  std::vector<std::vector<ValueId>> sources;  ///< of each tensor: the constants that it stores, in their order;
                                              ///< several: as many bytes each
  std::vector<std::string> notes;             ///< what llama.cpp does without, a sentence each
};

/// Names, rows and numbers as llama.cpp wants them (family.h): matrices in their own type, vectors and small tables in
/// f32. Touches no weight, and accepts planned encodings; the data is made when a tensor's `write` is called.
/// Errors: unsupported if the model has no checkpoint, a family that llama.cpp does not have, or a tensor or encoding
///         that its files have no place for; as of make_metadata.
LoweredFile lower(const Model& model);

/// What GGUF files can hold, for errors and help.
inline constexpr std::string_view kEncodings =
    "f32, f16, bf16; Q8_0, Q6_K, Q5_K, Q4_K, Q3_K, Q2_K, IQ4_XS, IQ4_NL, MXFP4, Q5_1, Q5_0, Q4_1, Q4_0";

}  // namespace terse::gguf
