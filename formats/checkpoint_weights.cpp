#include "formats/checkpoint_weights.h"

#include <map>

#include "formats/error.h"

namespace terse {

std::vector<ValueId> find_checkpoint_weights(const Model& model) {
  if (model.checkpoint == nullptr) {
    throw Error(Kind::unsupported,
                "{}: has no architecture that another format could name: from {} only {} can be written",
                model.path.string(), model.format, model.format);
  }
  std::map<std::string_view, ValueId> ids;
  for (size_t i = 0; i < model.graph.values.size(); ++i) {
    if (model.graph.values[i].constant != nullptr) {
      ids.emplace(model.graph.values[i].name, static_cast<ValueId>(i));
    }
  }
  std::vector<ValueId> weights;
  for (const std::string& name : model.checkpoint->tensors) {
    const auto found = ids.find(name);
    if (found == ids.end()) {
      throw Error(Kind::unsupported,
                  "tensor {} of the checkpoint is no constant of the graph any more: a pass has folded or merged it "
                  "(simplify does); leave the pass out, or write another target",
                  name);
    }
    weights.push_back(found->second);
  }
  return weights;
}

}  // namespace terse
