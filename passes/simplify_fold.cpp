#include <algorithm>
#include <array>
#include <cmath>

#include "calibration/executor.h"
#include "calibration/ops/op.h"
#include "formats/error.h"
#include "passes/simplify_steps.h"

namespace terse::passes {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 16;

/// Inputs of more elements are not computed with: an outer sum of two of these still fits into memory.
constexpr int64_t kMostElements = 4096;

bool has_role(const Value& value) {
  return std::any_of(value.roles.begin(), value.roles.end(),
                     [](const Role& role) { return role.kind != RoleKind::other; });
}

/// A product of sizes, at most `kMostBytes` + 1, so that a hostile one does no harm.
int64_t bounded_product(const std::vector<int64_t>& sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    product = size < 0 || size > kMostBytes ? kMostBytes + 1 : std::min(product * size, kMostBytes + 1);
  }
  return product;
}

/// The elements that an operator whose inputs are sizes will make; 0 for all others.
int64_t elements_from_sizes(const Graph& graph, const Node& node) {
  if (node.is("ConstantOfShape")) {
    return bounded_product(find_ints(graph, node.input(0)).value_or(std::vector<int64_t>{kMostBytes + 1}));
  }
  if (node.is("Expand") || node.is("Tile")) {
    auto sizes = find_ints(graph, node.input(1)).value_or(std::vector<int64_t>{kMostBytes + 1});
    const Encoding& data = *graph.value(node.inputs[0]).constant;
    sizes.push_back(data.rows() * data.columns());
    return bounded_product(sizes);
  }
  return 0;
}

/// Operators whose results are of any size, or differ from run to run.
bool is_never_folded(const Node& node) {
  constexpr std::array<std::string_view, 9> kNever = {"Bernoulli",     "Multinomial",       "OneHot",
                                                      "Pad",           "RandomNormal",      "RandomNormalLike",
                                                      "RandomUniform", "RandomUniformLike", "Resize"};
  return std::find(kNever.begin(), kNever.end(), node.op_type) != kNever.end();
}

bool is_range_of_any_size(const Graph& graph, const Node& node) {
  if (!node.is("Range")) {
    return false;
  }
  const auto start = find_ints(graph, node.input(0)), limit = find_ints(graph, node.input(1)),
             step = find_ints(graph, node.input(2));
  if (!start || !limit || !step || start->size() != 1 || limit->size() != 1 || step->size() != 1 ||
      step->front() == 0) {
    return true;
  }
  const double count =
      (static_cast<double>(limit->front()) - static_cast<double>(start->front())) / static_cast<double>(step->front());
  return count > static_cast<double>(kMostBytes);
}

bool holds_subgraph(const Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const Attribute& attribute) {
    return std::holds_alternative<std::shared_ptr<Block>>(attribute.value) ||
           std::holds_alternative<std::vector<std::shared_ptr<Block>>>(attribute.value);
  });
}

class Folder {
 public:
  explicit Folder(Model& model) : model_(model), is_output_(model.graph.values.size()) {
    for_each_block(graph().main, [&](const Block& block) {
      for (const ValueId id : block.outputs) {
        is_output_[static_cast<size_t>(id)] = true;
      }
    });
  }

  bool run() {
    bool is_changed = false;
    for_each_block(graph().main, [&](Block& block) {
      const auto folded = std::erase_if(block.nodes, [&](const Node& node) { return is_foldable(node) && fold(node); });
      is_changed = is_changed || folded > 0;
    });
    return is_changed;
  }

 private:
  Graph& graph() { return model_.graph; }

  bool is_foldable(const Node& node) {
    if (node.outputs.size() != 1 || node.outputs[0] == kNoValue || node.inputs.empty() || holds_subgraph(node) ||
        is_output_[static_cast<size_t>(node.outputs[0])] || is_never_folded(node)) {
      return false;
    }
    const bool are_small = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kNoValue || (is_small_constant(graph(), id) && count(id) <= kMostElements);
    });
    return are_small && elements_from_sizes(graph(), node) <= kMostElements && !is_range_of_any_size(graph(), node) &&
           calibration::find_operator(node.domain, node.op_type) != nullptr;
  }

  int64_t count(ValueId id) { return graph().value(id).constant->rows() * graph().value(id).constant->columns(); }

  /// The node as a model of its own.
  Model alone(const Node& node) {
    Model model{.opsets = model_.opsets, .ir_version = model_.ir_version};
    Node copy = node;
    for (ValueId& id : copy.inputs) {
      if (id != kNoValue) {
        const Value& value = graph().value(id);
        id = model.graph.add_constant(value.name, value.constant);
        model.graph.value(id).type = value.type;
      }
    }
    copy.outputs = {model.graph.add(graph().value(node.outputs[0]).name)};
    model.graph.value(copy.outputs[0]).type = graph().value(node.outputs[0]).type;
    model.graph.main.outputs = copy.outputs;
    model.graph.main.nodes.push_back(std::move(copy));
    return model;
  }

  /// What cannot be computed stays: whoever runs the graph will be told.
  bool fold(const Node& node) {
    try {
      const Tensor result = calibration::Executor(alone(node)).run({}).front();
      const bool is_string = result.dtype() == DType::string;
      if (is_string || result.empty() || static_cast<int64_t>(result.bytes().size()) > kMostBytes) {
        return false;
      }
      Value& value = graph().value(node.outputs[0]);
      value.constant = make_dense(result);
      value.type = std::nullopt;
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  Model& model_;
  std::vector<bool> is_output_;
};

}  // namespace

std::optional<std::vector<int64_t>> find_ints(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id)) {
    return std::nullopt;
  }
  const DenseEncoding* dense = graph.value(id).constant->dense();
  if (dense == nullptr || !is_integer(dense->dtype) || dense->values.empty()) {
    return std::nullopt;
  }
  return to_int64s(dense->values.aligned());
}

bool is_small_constant(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id) || has_role(graph.value(id))) {
    return false;
  }
  const DenseEncoding* dense = graph.value(id).constant->dense();
  return dense != nullptr && !dense->transposed && !dense->values.empty() && dense->dtype != DType::string &&
         stored_bytes(*graph.value(id).constant) <= kMostBytes;
}

bool fold_constants(Model& model) { return Folder(model).run(); }

}  // namespace terse::passes
