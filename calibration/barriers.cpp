#include "calibration/barriers.h"

#include <algorithm>
#include <array>
#include <map>

namespace terse::calibration {
namespace {

constexpr std::array<std::string_view, 5> kTransparent = {"Identity", "Cast", "Reshape", "Flatten", "Unsqueeze"};

/// The value that `id` is another form of.
ValueId source_of(const Dataflow& dataflow, ValueId id) {
  const Node* node = dataflow.producer(id);
  while (node != nullptr && node->domain.empty() &&
         std::ranges::find(kTransparent, node->op_type) != kTransparent.end()) {
    id = node->inputs[0];
    node = dataflow.producer(id);
  }
  return id;
}

}  // namespace

std::vector<Barrier> find_barriers(const Plan& plan, const std::vector<ValueId>& weights, Uses uses) {
  const Dataflow dataflow(plan.graph());
  std::map<ValueId, size_t> of_source;
  std::vector<Barrier> barriers;
  for (size_t i = 0; i < plan.steps().size(); ++i) {
    const Step& step = plan.steps()[i];
    const ValueId weight = step.packed_weight;
    if (weight == kNoValue || step.packed_as != PackedMatrix::Operand::transposed ||
        std::ranges::find(weights, weight) == weights.end() ||
        (uses == Uses::only && dataflow.uses(weight).size() != 1)) {
      continue;
    }
    const ValueId activation = step.node->inputs[0];
    const auto [found, is_new] = of_source.emplace(source_of(dataflow, activation), barriers.size());
    if (is_new) {
      barriers.push_back({.value = activation, .weights = {}, .step = i});
    }
    barriers[found->second].weights.push_back(weight);
  }
  return barriers;
}

}  // namespace terse::calibration
