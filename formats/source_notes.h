#pragma once

#include <string>
#include <vector>

#include "formats/model.h"

namespace terse {

/// What the checkpoint that a model was read from asked for and no graph computes, a sentence each: activations and
/// caches that were to be quantized beside its weights.
std::vector<std::string> source_notes(const Model& model);

}  // namespace terse
