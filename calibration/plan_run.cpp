#include <algorithm>
#include <cstring>
#include <numeric>

#include "calibration/plan.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

void write(ValueId id, Tensor value, Frame& frame) {
  if (id != kNoValue) {
    frame[static_cast<size_t>(id)] = std::move(value);
  }
}

bool as_condition(const Tensor& tensor) {
  if (tensor.dtype() != DType::boolean || tensor.count() != 1) {
    throw Error(Kind::input, "condition is {} {}, expected one bool", name(tensor.dtype()), to_string(tensor.shape()));
  }
  return tensor.values<bool>()[0];
}

/// What a Loop's body gave in all iterations, along a new first axis.
Tensor stack(const std::vector<Tensor>& parts) {
  if (parts.empty()) {
    throw Error(Kind::unsupported, "a Loop of no iterations with scan outputs");
  }
  Shape shape = parts[0].shape();
  shape.insert(shape.begin(), static_cast<int64_t>(parts.size()));
  Tensor out = Tensor::uninitialized(parts[0].dtype(), shape);
  auto rest = out.mutable_bytes();
  for (const Tensor& part : parts) {
    if (part.dtype() != out.dtype() || part.shape() != parts[0].shape()) {
      throw Error(Kind::input, "scan output changes from {} to {}", to_string(parts[0].shape()),
                  to_string(part.shape()));
    }
    std::memcpy(rest.data(), part.bytes().data(), part.bytes().size());
    rest = rest.subspan(part.bytes().size());
  }
  return out;
}

}  // namespace

const Tensor& Plan::read(ValueId id, const Frame& frame) const {
  const Tensor& value = frame[static_cast<size_t>(id)];
  if (value.empty() && constants_.find(id) != nullptr) {
    return constants_.tensor(id);
  }
  if (value.empty()) {
    throw Error(Kind::input, "value '{}' was not computed", graph_.value(id).name);
  }
  return value;
}

void Plan::run(const Step& step, Frame& frame) const {
  with_context(describe(graph_, *step.node), [&] {
    if (step.run != nullptr) {
      run_operator(step, frame);
    } else if (step.node->is("If")) {
      run_if(step, frame);
    } else {
      run_loop(step, frame);
    }
  });
  for (const ValueId id : step.last_reads) {
    frame[static_cast<size_t>(id)] = Tensor();
  }
}

void Plan::run_operator(const Step& step, Frame& frame) const {
  const Node& node = *step.node;
  std::vector<const Tensor*> inputs(node.inputs.size());
  std::shared_ptr<const PackedMatrix> weight;
  OpCall call{.node = node, .inputs = inputs, .precision = precision_};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    if (i == 1 && step.packed_weight != kNoValue) {
      weight = constants_.packed(id, step.packed_as);
      call.packed_weight = weight.get();
    } else if (i == 0 && step.reads_table) {
      call.table = constants_.find(id);
      call.table_dtype = constants_.dtype(id);
    } else if (id != kNoValue) {
      inputs[i] = &read(id, frame);
    }
  }
  std::vector<Tensor> outputs = step.run(call);
  if (outputs.size() < node.outputs.size()) {
    throw Error(Kind::unsupported, "{} gives {} outputs, the node wants {}", node.op_type, outputs.size(),
                node.outputs.size());
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    write(node.outputs[i], std::move(outputs[i]), frame);
  }
}

void Plan::run_block(const StepList& block, Frame& frame) const {
  for (const Step& step : block.steps) {
    run(step, frame);
  }
}

void Plan::run_if(const Step& step, Frame& frame) const {
  const Node& node = *step.node;
  const bool condition = as_condition(read(node.inputs.at(0), frame));
  // Attributes are searched for by name, so the order of the blocks is fixed: then, else.
  const StepList& branch = step.blocks[condition ? 0 : 1];
  run_block(branch, frame);
  if (branch.outputs.size() < node.outputs.size()) {
    throw Error(Kind::input, "a branch has {} outputs, the node {}", branch.outputs.size(), node.outputs.size());
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    write(node.outputs[i], read(branch.outputs[i], frame), frame);
  }
}

void Plan::run_loop(const Step& step, Frame& frame) const {
  const Node& node = *step.node;
  const StepList& body = step.blocks[0];
  const auto is_given = [&](size_t i) { return node.input(i) != kNoValue; };
  const size_t carried = node.inputs.size() < 2 ? 0 : node.inputs.size() - 2;
  if (body.inputs.size() != carried + 2 || body.outputs.size() < carried + 1 ||
      node.outputs.size() + 1 > body.outputs.size()) {
    throw Error(Kind::input, "the body of a Loop has {} inputs and {} outputs, which do not fit the node's",
                body.inputs.size(), body.outputs.size());
  }
  const int64_t limit = is_given(0) ? to_int64s(read(node.inputs[0], frame)).at(0) : INT64_MAX;
  bool condition = is_given(1) ? as_condition(read(node.inputs[1], frame)) : true;
  std::vector<Tensor> state;
  for (size_t i = 0; i < carried; ++i) {
    state.push_back(read(node.inputs[i + 2], frame));
  }
  std::vector<std::vector<Tensor>> scans(body.outputs.size() - 1 - carried);
  for (int64_t iteration = 0; iteration < limit && condition; ++iteration) {
    write(body.inputs[0], Tensor::scalar(iteration), frame);
    write(body.inputs[1], Tensor::of<bool>({}, {condition}), frame);
    for (size_t i = 0; i < carried; ++i) {
      write(body.inputs[i + 2], state[i], frame);
    }
    run_block(body, frame);
    condition = as_condition(read(body.outputs[0], frame));
    for (size_t i = 0; i < carried; ++i) {
      state[i] = read(body.outputs[i + 1], frame);
    }
    for (size_t i = 0; i < scans.size(); ++i) {
      scans[i].push_back(read(body.outputs[carried + 1 + i], frame));
    }
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    write(node.outputs[i], i < carried ? state[i] : stack(scans[i - carried]), frame);
  }
}

}  // namespace terse::calibration
