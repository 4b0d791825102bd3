#include "calibration/routing.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

namespace terse::calibration {
namespace {

/// What computes each row of its first input, or of all its inputs, by itself.
constexpr std::array<std::string_view, 22> kByRow = {
    "Add", "Cast", "Clip", "Div",  "Elu",     "Erf",   "Gelu",    "Gemm", "HardSigmoid", "Identity", "MatMul",
    "Mul", "Neg",  "Pow",  "Relu", "Sigmoid", "Split", "Squeeze", "Sub",  "Swish",       "Tanh",     "Unsqueeze"};

constexpr size_t kMostValues = 64;  // of an expert, in which a search gives up

class Search {
 public:
  explicit Search(const Graph& graph) : graph_(graph), dataflow_(graph) {}

  const Dataflow& dataflow() const { return dataflow_; }

  std::optional<Routing> find(const Node& linear) const {
    const Node* gather = find_gather(linear.inputs[0]);
    if (gather == nullptr) {
      return std::nullopt;
    }
    return Routing{.all = gather->inputs[0],
                   .tokens = gather->inputs[1],
                   .rows = gather->outputs[0],
                   .shares = find_shares(gather->outputs[0])};
  }

 private:
  static bool is_by_row(const Node& node) {
    return node.domain.empty() && std::ranges::find(kByRow, node.op_type) != kByRow.end();
  }

  bool is_outermost(const Node& node) const {
    const auto& nodes = graph_.main.nodes;
    return &node >= nodes.data() && &node < nodes.data() + nodes.size();
  }

  bool picks_rows(const Node& node) const {
    return is_outermost(node) && node.is("Gather") && node.get_int("axis", 0) == 0 &&
           !graph_.is_constant(node.input(0)) && !graph_.is_constant(node.input(1)) &&
           dataflow_.producer(node.inputs[0]) != nullptr;
  }

  /// The one Gather that everything in `value` that is no constant comes from.
  const Node* find_gather(ValueId value) const {
    std::vector<ValueId> open = {value};
    std::set<ValueId> seen;
    const Node* found = nullptr;
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == kNoValue || graph_.is_constant(id) || !seen.insert(id).second) {
        continue;
      }
      const Node* node = dataflow_.producer(id);
      if (node != nullptr && picks_rows(*node) && (found == nullptr || found == node)) {
        found = node;
      } else if (node == nullptr || !is_by_row(*node) || seen.size() > kMostValues) {
        return nullptr;
      } else {
        open.insert(open.end(), node->inputs.begin(), node->inputs.end());
      }
    }
    return found;
  }

  /// The factor of what comes of these rows that does not come of them itself.
  ValueId find_shares(ValueId rows) const {
    std::set<ValueId> of_rows = {rows};
    std::vector<ValueId> open = {rows};
    while (!open.empty() && of_rows.size() <= kMostValues) {
      const ValueId id = open.back();
      open.pop_back();
      for (const Use& use : dataflow_.uses(id)) {
        if (use.node == nullptr || !is_by_row(*use.node)) {
          continue;
        }
        const ValueId factor = use.node->is("Mul") ? use.node->inputs[1 - use.input] : kNoValue;
        if (factor != kNoValue && !graph_.is_constant(factor) && find_gather(factor) != dataflow_.producer(rows)) {
          return factor;
        }
        for (const ValueId output : use.node->outputs) {
          if (of_rows.insert(output).second) {
            open.push_back(output);
          }
        }
      }
    }
    return kNoValue;
  }

  const Graph& graph_;
  Dataflow dataflow_;
};

}  // namespace

std::map<ValueId, Routing> find_routings(const Graph& graph, const std::vector<ValueId>& weights) {
  const Search search(graph);
  std::map<ValueId, Routing> routings;
  for (const ValueId weight : weights) {
    const auto& uses = search.dataflow().uses(weight);
    if (uses.size() != 1 || uses.front().node == nullptr || uses.front().input != 1) {
      continue;
    }
    const Node& node = *uses.front().node;
    if (node.is("MatMul") || node.is("Gemm")) {
      if (const auto routing = search.find(node)) {
        routings.emplace(weight, *routing);
      }
    }
  }
  return routings;
}

}  // namespace terse::calibration
