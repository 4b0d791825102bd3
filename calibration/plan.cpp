#include "calibration/plan.h"

#include <algorithm>
#include <ranges>
#include <unordered_map>

#include "formats/error.h"
#include "formats/onnx/upgrade.h"

namespace terse::calibration {
namespace {

std::vector<std::shared_ptr<Block>> subgraphs(const Node& node) {
  std::vector<std::shared_ptr<Block>> blocks;
  for (const std::string_view name : {"then_branch", "else_branch", "body"}) {
    const Attribute* attribute = node.find(name);
    if (attribute == nullptr) {
      continue;
    }
    const auto* block = std::get_if<std::shared_ptr<Block>>(&attribute->value);
    if (block == nullptr) {
      throw Error(Kind::input, "attribute '{}' is no graph", name);
    }
    blocks.push_back(*block);
  }
  return blocks;
}

/// A set of values.
class Marks {
 public:
  explicit Marks(size_t count) : marked_(count) {}
  bool has(ValueId id) const { return id != kNoValue && marked_[static_cast<size_t>(id)]; }
  void add(ValueId id) {
    if (id != kNoValue) {
      marked_[static_cast<size_t>(id)] = true;
    }
  }
  void add(const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      add(id);
    }
  }
  bool has_any(const std::vector<ValueId>& ids) const {
    return std::any_of(ids.begin(), ids.end(), [&](ValueId id) { return has(id); });
  }

 private:
  std::vector<bool> marked_;
};

class Planner {
 public:
  Planner(const Graph& graph, const Constants& constants) : graph_(graph), constants_(constants) {}

  StepList plan(const Block& block, const std::vector<ValueId>& outputs) const {
    StepList list{.inputs = block.inputs, .outputs = outputs};
    Marks needed(graph_.values.size());
    needed.add(outputs);
    for (const Node& node : block.nodes | std::views::reverse) {
      if (needed.has_any(node.outputs)) {
        for_each_read(node, [&](ValueId id) { needed.add(id); });
        list.steps.push_back(with_context(describe(graph_, node), [&] { return plan_step(node); }));
      }
    }
    std::reverse(list.steps.begin(), list.steps.end());
    note_last_reads(list);
    return list;
  }

 private:
  Step plan_step(const Node& node) const {
    Step step{.node = &node};
    if (node.is("If") || node.is("Loop")) {
      for (const auto& block : subgraphs(node)) {
        step.blocks.push_back(plan(*block, block->outputs));
      }
      if (step.blocks.size() != (node.is("If") ? 2 : 1)) {
        throw Error(Kind::input, "{} has {} subgraphs", node.op_type, step.blocks.size());
      }
      return step;
    }
    note_table(step);
    if (step.run != nullptr) {
      return step;
    }
    const OpRow* row = find_operator(node.domain, node.op_type);
    if (row == nullptr) {
      throw Error(Kind::unsupported, "operator {} of domain '{}' cannot be run", node.op_type,
                  node.domain.empty() ? "ai.onnx" : node.domain);
    }
    step.run = row->run;
    note_weight(step);
    return step;
  }

  /// A float constant of at least two dimensions, or null.
  const Encoding* find_matrix(ValueId id) const {
    if (id == kNoValue || !graph_.is_constant(id)) {
      return nullptr;
    }
    const Encoding* encoding = graph_.value(id).constant.get();
    return encoding->shape.size() >= 2 && is_float(compute_dtype(*encoding)) ? encoding : nullptr;
  }

  void note_weight(Step& step) const {
    const Node& node = *step.node;
    const bool is_product = node.is("MatMul") || node.is("Gemm") || node.is("FusedMatMul", "com.microsoft");
    const Encoding* weight = find_matrix(node.input(1));
    const bool is_plain_left = node.get_int("transA", 0) == 0;
    if (is_product && is_plain_left && weight != nullptr && weight->shape.size() == 2) {
      step.packed_weight = node.input(1);
      step.packed_as =
          node.get_int("transB", 0) != 0 ? PackedMatrix::Operand::transposed : PackedMatrix::Operand::plain;
    }
  }

  /// Plain dense tables are read where they are by the ordinary Gather.
  void note_table(Step& step) const {
    const Encoding* table = find_matrix(step.node->input(0));
    if (!step.node->is("Gather") || step.node->get_int("axis", 0) != 0 || table == nullptr) {
      return;
    }
    const DenseEncoding* dense = table->dense();
    const bool is_plain = dense != nullptr && !dense->transposed && dense->values.is_aligned() &&
                          dense->dtype == constants_.dtype(step.node->input(0));
    if (!is_plain) {
      step.reads_table = true;
      step.run = gather_table;
    }
  }

  /// Values of outer blocks are freed by the step of the outer block that holds this one.
  void note_last_reads(StepList& list) const {
    Marks own(graph_.values.size());
    own.add(list.inputs);
    for (const Step& step : list.steps) {
      own.add(step.node->outputs);
    }
    Marks done(graph_.values.size());
    done.add(list.outputs);
    for (Step& step : list.steps | std::views::reverse) {
      const auto note = [&](ValueId id) {
        if (own.has(id) && !done.has(id)) {
          step.last_reads.push_back(id);
          done.add(id);
        }
      };
      std::for_each(step.node->outputs.begin(), step.node->outputs.end(), note);
      for_each_read(*step.node, note);
    }
  }

  const Graph& graph_;
  const Constants& constants_;
};

Graph upgraded(const Model& model) {
  Graph graph = deep_copy(model.graph);
  auto opsets = model.opsets;
  onnx::upgrade(graph, opsets);
  return graph;
}

std::vector<ValueId> find_outputs(const Graph& graph, const std::vector<std::string>& names) {
  if (names.empty()) {
    return graph.main.outputs;
  }
  std::unordered_map<std::string_view, ValueId> ids;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    ids.emplace(graph.values[i].name, static_cast<ValueId>(i));
  }
  std::vector<ValueId> outputs;
  for (const std::string& name : names) {
    const auto found = ids.find(name);
    if (found == ids.end()) {
      throw Error(Kind::usage, "the graph has no value '{}'", name);
    }
    outputs.push_back(found->second);
  }
  return outputs;
}

std::vector<ValueId> find_needed_inputs(const Graph& graph, const StepList& list) {
  Marks read(graph.values.size());
  read.add(list.outputs);
  for (const Step& step : list.steps) {
    for_each_read(*step.node, [&](ValueId id) { read.add(id); });
  }
  std::vector<ValueId> needed;
  std::copy_if(list.inputs.begin(), list.inputs.end(), std::back_inserter(needed),
               [&](ValueId id) { return read.has(id) && !graph.is_constant(id); });
  return needed;
}

}  // namespace

Plan::Plan(const Model& model, const std::vector<std::string>& outputs, Residency residency, Precision precision)
    : graph_(upgraded(model)),
      constants_(graph_, residency, precision),
      precision_(precision),
      main_(Planner(graph_, constants_).plan(graph_.main, find_outputs(graph_, outputs))),
      needed_inputs_(find_needed_inputs(graph_, main_)) {}

}  // namespace terse::calibration
