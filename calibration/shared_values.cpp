#include "calibration/shared_values.h"

#include <algorithm>
#include <set>

#include "formats/error.h"

namespace terse::calibration {
namespace {

/// True if the node tells the shape of its input and not its contents.
bool reads_shape_only(const Node& node) { return node.is("Shape") || node.is("Size"); }

bool has_matrix(const Plan& plan, const Node& node) {
  return std::ranges::any_of(node.inputs, [&](ValueId id) {
    const Encoding* constant = id == kNoValue ? nullptr : plan.constants().find(id);
    return constant != nullptr && constant->shape.size() >= 2 && is_float(compute_dtype(*constant));
  });
}

/// Whether the node needs a value of the sample's own. Of a graph input the shape alone is everybody's.
bool reads_own(const Plan& plan, const Node& node, const std::vector<bool>& is_own) {
  return std::ranges::any_of(node.inputs, [&](ValueId id) {
    const bool is_input = std::ranges::find(plan.graph().main.inputs, id) != plan.graph().main.inputs.end();
    return id != kNoValue && is_own[static_cast<size_t>(id)] && !(is_input && reads_shape_only(node));
  });
}

/// Graph inputs that index a table of weights, directly or through operators on integers.
std::set<ValueId> find_tokens(const Plan& plan) {
  const Dataflow dataflow(plan.graph());
  std::set<ValueId> tokens;
  for (const Step& step : plan.steps()) {
    const bool is_table = step.node->op_type.starts_with("Gather") && has_matrix(plan, *step.node);
    ValueId id = is_table ? step.node->input(1) : kNoValue;
    while (id != kNoValue) {
      const Node* node = dataflow.producer(id);
      if (node == nullptr) {
        tokens.insert(id);
        break;
      }
      id = reads_shape_only(*node) || node->inputs.empty() ? kNoValue : node->inputs[0];
    }
  }
  return tokens;
}

}  // namespace

SharedValues::SharedValues(const Plan& plan, const std::vector<Sample>& samples)
    : plan_(plan), is_shared_(plan.steps().size()), is_read_(plan.graph().values.size()) {
  classify();
  for (const Sample& sample : samples) {
    const auto [found, is_new] = known_.try_emplace(key_of(sample));
    if (is_new) {
      found->second = compute(sample);
    }
  }
}

void SharedValues::classify() {
  std::vector<bool> is_own(plan_.graph().values.size());
  for (const ValueId id : find_tokens(plan_)) {
    is_own[static_cast<size_t>(id)] = true;
    own_inputs_.push_back(plan_.graph().value(id).name);
  }
  for (size_t i = 0; i < is_shared_.size(); ++i) {
    const Step& step = plan_.steps()[i];
    const bool is_samples_own =
        !step.blocks.empty() || has_matrix(plan_, *step.node) || reads_own(plan_, *step.node, is_own);
    is_shared_[i] = !is_samples_own;
    if (!step.blocks.empty()) {
      is_read_.assign(is_read_.size(), true);  // by whatever its subgraphs are
    }
    for (const ValueId id : step.node->inputs) {
      if (id != kNoValue && is_samples_own) {
        is_read_[static_cast<size_t>(id)] = true;
      }
    }
    for (const ValueId id : step.node->outputs) {
      if (id != kNoValue) {
        is_own[static_cast<size_t>(id)] = is_samples_own;
      }
    }
  }
}

std::string SharedValues::key_of(const Sample& sample) const {
  std::string key;
  for (const auto& [name, tensor] : sample) {
    key += fmt::format("{}{};", name, to_string(tensor.shape()));
    if (std::ranges::find(own_inputs_, name) == own_inputs_.end()) {
      key.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
    }
  }
  return key;
}

SharedValues::Values SharedValues::compute(const Sample& sample) const {
  Frame frame = plan_.make_frame();
  load_sample(plan_, sample, frame);
  Values values;
  for (size_t i = 0; i < is_shared_.size(); ++i) {
    if (!is_shared_[i]) {
      continue;
    }
    plan_.run(plan_.steps()[i], frame);
    for (const ValueId id : plan_.steps()[i].node->outputs) {
      if (id != kNoValue && is_read_[static_cast<size_t>(id)]) {
        values.emplace_back(id, frame[static_cast<size_t>(id)]);
      }
    }
  }
  return values;
}

void SharedValues::load(const Sample& sample, Frame& frame) const {
  for (const auto& [id, tensor] : known_.at(key_of(sample))) {
    frame[static_cast<size_t>(id)] = tensor;
  }
}

}  // namespace terse::calibration
