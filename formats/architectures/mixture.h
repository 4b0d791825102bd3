#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/model.h"

namespace terse::architectures {

// Mixtures of experts in a model that was built from a checkpoint: which weight is whose, and a model with fewer of
// them.

enum class ExpertPart { router, gate, up, down };

struct ExpertPlace {
  std::string layer;  ///< "model.layers.3."
  ExpertPart part = ExpertPart::router;
  int64_t expert = -1;  ///< -1: the router, of all
};

/// What a tensor of the checkpoint is to a mixture; nothing if it is no part of one.
std::optional<ExpertPlace> find_expert(const Checkpoint& checkpoint, std::string_view tensor);

/// How many experts each token goes through, and how many there are, by the configuration. Error unsupported if the
/// model has no checkpoint, or a family without experts.
struct ExpertCounts {
  int64_t all = 0, chosen = 0;
};
ExpertCounts count_experts(const Model& model);

/// Experts by layer ("model.layers.3."), ascending; as many in each layer.
using KeptExperts = std::map<std::string, std::vector<int64_t>>;

/// The same model without the other experts: built anew, those that stay numbered from 0, with their rows of the
/// routers and their number in the configuration, in config.json's spelling and in GGUF's. Weights keep the encodings
/// that they have.
/// Errors:  those of count_experts; input if a layer would keep fewer experts than its tokens go through, or layers
///          different numbers; unsupported if a pass has folded weights away.
Model keep_experts(const Model& model, const KeptExperts& kept);

}  // namespace terse::architectures
