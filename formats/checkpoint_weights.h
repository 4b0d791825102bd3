#pragma once

#include <vector>

#include "formats/model.h"

namespace terse {

/// The constants that are a checkpoint's tensors, in the order of `Checkpoint::tensors`.
/// Errors: unsupported if the model has no checkpoint behind it (a graph does not name its architecture), or if a
///         tensor of the checkpoint is no constant of the graph any more.
std::vector<ValueId> find_checkpoint_weights(const Model& model);

}  // namespace terse
