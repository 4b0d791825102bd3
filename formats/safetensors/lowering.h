#pragma once

#include <string>
#include <vector>

#include "formats/model.h"
#include "formats/named_tensors.h"

namespace terse::safetensors {

/// The tensors that a checkpoint folder holds for a model, and what its config.json is to say of them.
struct LoweredCheckpoint {
  std::vector<StoredTensor> tensors;
  std::vector<std::vector<ValueId>> sources;  ///< of each tensor: the constant that it stores or helps to store;
                                              ///< several: as many bytes of each
  std::string config;                         ///< config.json's text
  bool has_codes = false;
};

/// Dense weights are stored under their names in the orientation that they had, those with codes as
/// compressed_tensors.h draws it. Touches no weight, and accepts planned encodings. Errors as of `check` in
/// checkpoint.h.
LoweredCheckpoint lower(const Model& model);

}  // namespace terse::safetensors
