#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/gguf/metadata.h"
#include "formats/tensor.h"

namespace terse {

/// Where a matrix lies among others in one tensor [E, parts * rows, columns] of a folder.
struct StackPlace {
  std::string stack;  ///< the tensor's name
  int64_t place = 0;  ///< expert * parts + part
  int64_t parts = 1;
};

/// How a tensor lies in the files of a checkpoint folder.
struct StoredForm {
  std::string standard_name;       ///< as the family's current files spell it, in full
  DType dtype = DType::undefined;  ///< undefined: as codes
  bool in_out = false;             ///< stored [in, out] (GPT-2's Conv1D)
  /// Of queries and keys that a GGUF file brought: so many heads, in each of which the rows of a rotary pair are
  /// neighbours in the graph, and half a head apart in folders (see row_order.h). 0: as in folders.
  int64_t neighbour_heads = 0;
  std::optional<StackPlace> stack =
      std::nullopt;  ///< of an expert's matrix, where folders have those of all in one tensor
};

/// What a checkpoint says beside the graph that is built from it; what it takes to write it as a folder again.
///
/// The weights themselves are constants of the graph: each bears the name that the tensor has in the checkpoint
/// ("model.layers.0.mlp.up_proj.weight") and its logical shape; a tensor that is stored [in, out] (GPT-2's Conv1D) is a
/// transposed DenseEncoding. Other constants of the graph are the architecture's and belong to no tensor.
struct Checkpoint {
  std::filesystem::path folder;      ///< of its other files: tokenizer, licence, card; empty: it was no folder
  std::string config;                ///< config.json's text
  std::string_view family;           ///< a row of architectures::families()
  std::vector<std::string> tensors;  ///< names of the constants that are tensors of the checkpoint, ascending
  std::map<std::string, StoredForm, std::less<>> stored;  ///< of `tensors`
  std::vector<std::string> unused;  ///< tensors of its files that no model of this family computes with, ascending
  std::shared_ptr<const gguf::Metadata> metadata;  ///< of the GGUF file that it was read from, else null
};

}  // namespace terse
