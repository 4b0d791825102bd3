#include "formats/onnx/lowering_context.h"

#include "formats/onnx/data_types.h"
#include "formats/onnx/lowering_stream.h"

namespace terse::onnx {

Node make_node(std::string_view op_type, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
               std::string_view domain) {
  Node node;
  node.domain = domain;
  node.op_type = op_type;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  return node;
}

ValueId Context::emit(Nodes& nodes, std::string_view op_type, std::vector<ValueId> inputs, std::string_view name,
                      Attributes attributes, std::string_view domain) {
  const ValueId output = graph().add(name);
  Node node = make_node(op_type, std::move(inputs), {output}, domain);
  node.name = graph().value(output).name;
  node.attributes = std::move(attributes);
  nodes.push_back(std::move(node));
  return output;
}

void Context::add(Initializer initializer, std::function<void(Sink&)> write) {
  const auto count = checked_count(initializer.dims);
  assert(count);
  initializer.bytes = packed_bytes(initializer.dtype, *count);
  initializer.write = std::move(write);
  lowered.initializers.push_back(std::move(initializer));
}

void Context::store(const Weight& weight, DType dtype, Shape dims, std::function<void(Sink&)> write) {
  add({.value = weight.id, .source = weight.id, .dtype = dtype, .dims = std::move(dims)}, std::move(write));
}

ValueId Context::store_beside(const Weight& weight, std::string_view suffix, DType dtype, Shape dims,
                              std::function<void(Sink&)> write) {
  const ValueId id = graph().add(name(weight.id) + std::string(suffix));
  add({.value = id, .source = weight.id, .dtype = dtype, .dims = std::move(dims)}, std::move(write));
  return id;
}

ValueId Context::helper(std::string_view name, const Tensor& values) {
  const auto found = helpers_.find(name);
  if (found != helpers_.end()) {
    return found->second;
  }
  const ValueId id = graph().add(name);
  add({.value = id, .dtype = values.dtype(), .dims = values.shape()},
      [values](Sink& sink) { stream_bytes(values, sink); });
  helpers_.emplace(name, id);
  return id;
}

ValueId cast_constant(Context& context, ValueId id, DType from, DType to) {
  if (from == to) {
    return id;
  }
  const int64_t number = get_data_type(to).number;
  return context.emit(context.prologue, "Cast", {id}, fmt::format("{}_{}", context.name(id), name(to)),
                      {{"to", number}});
}

}  // namespace terse::onnx
