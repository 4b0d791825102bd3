#include "formats/architectures/op_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "formats/onnx/data_types.h"

namespace terse::architectures {

OpBuilder::Scope::Scope(OpBuilder& builder, std::string_view name) : builder_(&builder), outer_(builder.scope_.size()) {
  builder.scope_ += fmt::format("{}{}", builder.scope_.empty() ? "" : ".", name);
}

OpBuilder::Scope::~Scope() { builder_->scope_.resize(outer_); }

ValueId OpBuilder::input(std::string_view name, DType dtype, std::vector<Dimension> shape) {
  const ValueId id = graph_->add(name);
  graph_->value(id).type = ValueType{.dtype = dtype, .shape = std::move(shape)};
  graph_->main.inputs.push_back(id);
  return id;
}

void OpBuilder::output(std::string_view name, ValueId value, DType dtype, std::vector<Dimension> shape) {
  graph_->value(value).name = name;
  graph_->value(value).type = ValueType{.dtype = dtype, .shape = std::move(shape)};
  graph_->main.outputs.push_back(value);
}

ValueId OpBuilder::op(std::string_view type, std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
  return op_n(type, std::move(inputs), 1, std::move(attributes)).front();
}

std::vector<ValueId> OpBuilder::op_n(std::string_view type, std::vector<ValueId> inputs, size_t outputs,
                                     std::vector<Attribute> attributes) {
  Node node{.op_type = std::string(type), .inputs = std::move(inputs), .attributes = std::move(attributes)};
  const std::string base = fmt::format("{}{}{}", scope_, scope_.empty() ? "" : "/", type);
  for (size_t i = 0; i < outputs; ++i) {
    node.outputs.push_back(graph_->add(base));
  }
  node.name = graph_->value(node.outputs.front()).name;
  graph_->main.nodes.push_back(node);
  return node.outputs;
}

ValueId OpBuilder::shared(const std::string& name, Tensor values) {
  const auto found = shared_.find(name);
  if (found != shared_.end()) {
    return found->second;
  }
  return shared_[name] = graph_->add_constant(name, make_dense(std::move(values)));
}

ValueId OpBuilder::scalar(float value) { return shared(fmt::format("float {}", value), Tensor::scalar(value)); }

ValueId OpBuilder::integer(int64_t value) { return shared(fmt::format("int {}", value), Tensor::scalar(value)); }

ValueId OpBuilder::ints(const std::vector<int64_t>& values) {
  const Shape shape = {static_cast<int64_t>(values.size())};
  return shared(fmt::format("ints {}", to_string(values)), Tensor::of<int64_t>(shape, values));
}

ValueId OpBuilder::floats(std::string_view name, Shape shape, std::span<const float> values) {
  return graph_->add_constant(name, make_dense(Tensor::of<float>(std::move(shape), values)));
}

ValueId OpBuilder::linear(ValueId x, ValueId weight, ValueId bias) {
  const ValueId product = op("MatMul", {x, weight}, {{.name = "transB", .value = int64_t{1}}});
  return bias == kNoValue ? product : add(product, bias);
}

ValueId OpBuilder::cast(ValueId x, DType to) {
  return op("Cast", {x}, {{.name = "to", .value = int64_t{onnx::get_data_type(to).number}}});
}

ValueId OpBuilder::dimension(ValueId x, int64_t axis) {
  return op("Shape", {x}, {{.name = "start", .value = axis}, {.name = "end", .value = axis + 1}});
}

ValueId OpBuilder::reshape(ValueId x, const std::vector<int64_t>& shape) { return op("Reshape", {x, ints(shape)}); }

ValueId OpBuilder::transpose(ValueId x, std::vector<int64_t> permutation) {
  return op("Transpose", {x}, {{.name = "perm", .value = std::move(permutation)}});
}

}  // namespace terse::architectures
