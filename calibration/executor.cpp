#include "calibration/executor.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "calibration/plan.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

std::string to_string(const std::vector<Dimension>& shape) {
  std::vector<std::string> parts;
  parts.reserve(shape.size());
  for (const Dimension& d : shape) {
    parts.push_back(d.size >= 0 ? std::to_string(d.size) : d.symbol.empty() ? "?" : d.symbol);
  }
  return fmt::format("[{}]", fmt::join(parts, ","));
}

/// Checks a sample's tensors against the types that the graph declares. A symbol is one number within a sample.
class InputCheck {
 public:
  void check(const Value& input, const Tensor& tensor) {
    if (!input.type) {
      return;
    }
    const ValueType& type = *input.type;
    if (type.dtype != DType::undefined && type.dtype != tensor.dtype()) {
      throw Error(Kind::input, "input '{}' is {}, expected {}", input.name, name(tensor.dtype()), name(type.dtype));
    }
    if (type.shape && !fits(*type.shape, tensor.shape())) {
      throw Error(Kind::input, "input '{}' has shape {}, expected {}{}", input.name, terse::to_string(tensor.shape()),
                  to_string(*type.shape), known_symbols());
    }
  }

 private:
  bool fits(const std::vector<Dimension>& declared, const Shape& shape) {
    return std::equal(declared.begin(), declared.end(), shape.begin(), shape.end(),
                      [&](const Dimension& d, int64_t size) { return fits(d, size); });
  }

  bool fits(const Dimension& declared, int64_t size) {
    if (declared.size >= 0 || declared.symbol.empty()) {
      return declared.size < 0 || declared.size == size;
    }
    return symbols_.emplace(declared.symbol, size).first->second == size;
  }

  std::string known_symbols() const {
    std::string text;
    for (const auto& [symbol, size] : symbols_) {
      text += fmt::format("{}{} = {}", text.empty() ? " where " : ", ", symbol, size);
    }
    return text;
  }

  std::map<std::string, int64_t, std::less<>> symbols_;
};

std::vector<std::string> names_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  names.reserve(ids.size());
  for (const ValueId id : ids) {
    names.push_back(graph.value(id).name);
  }
  return names;
}

void check_missing(const Plan& plan, const Sample& sample) {
  std::vector<std::string> missing = names_of(plan.graph(), plan.needed_inputs());
  std::erase_if(missing, [&](const std::string& name) { return sample.contains(name); });
  if (!missing.empty()) {
    throw Error(Kind::input, "the sample lacks the inputs {}", fmt::join(missing, ", "));
  }
}

}  // namespace

void load_sample(const Plan& plan, const Sample& sample, Frame& frame) {
  check_missing(plan, sample);
  const Graph& graph = plan.graph();
  InputCheck types;
  size_t found = 0;
  for (const ValueId id : graph.main.inputs) {
    const auto tensor = sample.find(graph.value(id).name);
    if (tensor != sample.end()) {
      types.check(graph.value(id), tensor->second);
      frame[static_cast<size_t>(id)] = tensor->second.aligned();
      ++found;
    }
  }
  if (found == sample.size()) {
    return;
  }
  const std::vector<std::string> known = names_of(graph, graph.main.inputs);
  for (const auto& [name, tensor] : sample) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(Kind::input, "the graph has no input '{}', it has {}", name, fmt::join(known, ", "));
    }
  }
}

Executor::Executor(const Model& model, const ExecutorOptions& options)
    : plan_(std::make_unique<const Plan>(model, options.outputs, options.residency)),
      output_names_(names_of(plan_->graph(), plan_->outputs())) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;

std::vector<Tensor> Executor::run(const Sample& sample) const {
  Frame frame = plan_->make_frame();
  load_sample(*plan_, sample, frame);
  for (const Step& step : plan_->steps()) {
    plan_->run(step, frame);
  }
  std::vector<Tensor> outputs;
  for (const ValueId id : plan_->outputs()) {
    outputs.push_back(plan_->read(id, frame));
  }
  return outputs;
}

}  // namespace terse::calibration
