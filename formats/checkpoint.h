#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "formats/tensor.h"

namespace terse {

/// How a tensor lies in the files.
struct StoredForm {
  DType dtype = DType::undefined;  ///< undefined: as codes
  bool in_out = false;             ///< stored [in, out] (GPT-2's Conv1D)
};

/// What a checkpoint says beside the graph that is built from it; what it takes to write it as a folder again.
///
/// The weights themselves are constants of the graph: each bears the name that the tensor has in the checkpoint
/// ("model.layers.0.mlp.up_proj.weight") and its logical shape; a tensor that is stored [in, out] (GPT-2's Conv1D) is a
/// transposed DenseEncoding. Other constants of the graph are the architecture's and belong to no tensor.
struct Checkpoint {
  std::filesystem::path folder;      ///< where its other files lie: tokenizer, generation config, licence, card
  std::string config;                ///< config.json's text
  std::string_view family;           ///< a row of architectures::families()
  std::vector<std::string> tensors;  ///< names of the constants that are tensors of the checkpoint, ascending
  std::map<std::string, StoredForm, std::less<>> stored;  ///< of `tensors`
  std::vector<std::string> unused;  ///< tensors of its files that no model of this family computes with, ascending
};

}  // namespace terse
