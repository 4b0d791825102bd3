#include "formats/onnx/canonical.h"

#include <algorithm>
#include <numeric>

#include "formats/onnx/orientation.h"

namespace terse::onnx {
namespace {

/// Decides, node by node in the order of computation, which value is read (or made) in place of which.
class IdentityRemoval {
 public:
  explicit IdentityRemoval(Graph& graph) : graph_(graph), reads_(graph.values.size()), made_in_(graph.values.size()) {
    std::iota(reads_.begin(), reads_.end(), ValueId{0});
    is_output_ = block_outputs(graph);
  }

  void run() {
    for_each_block(graph_.main, [&](Block& block) {
      std::erase_if(block.nodes, [&](const Node& node) {
        const bool is_removed = node.is("Identity") && remove(node, block);
        for (const ValueId id : node.outputs) {
          if (id != kNoValue) {
            made_in_[static_cast<size_t>(id)] = &block;
          }
        }
        return is_removed;
      });
    });
    for_each_block(graph_.main, [&](Block& block) { apply(block); });
  }

 private:
  ValueId resolve(ValueId id) const {
    while (id != kNoValue && reads_[static_cast<size_t>(id)] != id) {
      id = reads_[static_cast<size_t>(id)];
    }
    return id;
  }

  bool remove(const Node& node, const Block& block) {
    const ValueId from = resolve(node.input(0)), to = node.output(0);
    if (from == kNoValue || to == kNoValue) {
      return false;
    }
    if (!is_output_[static_cast<size_t>(to)]) {
      reads_[static_cast<size_t>(to)] = from;
      return true;
    }
    // An output keeps its name: the node that makes `from` shall make it under that name.
    if (made_in_[static_cast<size_t>(from)] != &block || is_output_[static_cast<size_t>(from)]) {
      return false;
    }
    reads_[static_cast<size_t>(from)] = to;
    return true;
  }

  void apply(Block& block) {
    const auto replace = [&](std::vector<ValueId>& ids) {
      std::transform(ids.begin(), ids.end(), ids.begin(), [&](ValueId id) { return resolve(id); });
    };
    replace(block.outputs);
    for (Node& node : block.nodes) {
      replace(node.inputs);
      replace(node.outputs);
    }
  }

  Graph& graph_;
  std::vector<ValueId> reads_;
  std::vector<const Block*> made_in_;
  std::vector<bool> is_output_;
};

void remember_types(Graph& graph) {
  for (Value& value : graph.values) {
    if (is_matrix(value) && !value.type) {
      value.type = ValueType{.dtype = compute_dtype(*value.constant)};
    }
  }
}

}  // namespace

void remove_identities(Graph& graph) { IdentityRemoval(graph).run(); }

void canonicalize(Graph& graph) {
  remove_identities(graph);
  fold_into_constants(graph);
  orient_weights(graph);
  merge_equal_weights(graph);
  remember_types(graph);
  remove_dead(graph);
}

}  // namespace terse::onnx
