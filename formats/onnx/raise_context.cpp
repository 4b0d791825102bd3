#include "formats/onnx/raise_context.h"

#include "formats/onnx/data_types.h"
#include "formats/onnx/raise_parts.h"

namespace terse::onnx {

RaiseContext::RaiseContext(Graph& g)
    : graph(g), producers_(g.values.size()), readers_(g.values.size()), is_output_(g.values.size()) {
  for_each_block(graph.main, [&](Block& block) {
    for (const ValueId id : block.outputs) {
      is_output_[static_cast<size_t>(id)] = true;
    }
  });
  for_each_node(graph.main, [&](Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) {
        readers_[static_cast<size_t>(node.inputs[i])].emplace_back(&node, i);
      }
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) {
        producers_[static_cast<size_t>(id)] = &node;
      }
    }
  });
}

Node* RaiseContext::producer(ValueId id) const {
  return id == kNoValue || static_cast<size_t>(id) >= producers_.size() ? nullptr : producers_[static_cast<size_t>(id)];
}

Node* RaiseContext::producer(ValueId id, std::string_view op_type) const {
  Node* node = producer(id);
  return node != nullptr && node->is(op_type) && node->output(0) == id ? node : nullptr;
}

const std::vector<std::pair<Node*, size_t>>& RaiseContext::readers(ValueId id) const {
  static const std::vector<std::pair<Node*, size_t>> none;
  const auto index = static_cast<size_t>(id);
  return id == kNoValue || index >= readers_.size() || is_output_[index] ? none : readers_[index];
}

const Tensor* RaiseContext::tensor(ValueId id) const {
  if (!graph.is_constant(id)) {
    return nullptr;
  }
  const DenseEncoding* dense = graph.value(id).constant->dense();
  const bool plain = dense != nullptr && !dense->transposed && !dense->values.empty() && dense->dtype != DType::string;
  return plain ? &dense->values : nullptr;
}

std::optional<std::vector<int64_t>> RaiseContext::ints(ValueId id) const {
  const Tensor* t = tensor(id);
  return t != nullptr && is_integer(t->dtype()) ? std::optional(to_int64s(*t)) : std::nullopt;
}

std::optional<float> RaiseContext::scalar(ValueId id) const {
  const Tensor* t = tensor(id);
  return t != nullptr && t->count() == 1 && is_float(t->dtype()) ? std::optional(to_f32(*t).values<float>()[0])
                                                                 : std::nullopt;
}

ValueId RaiseContext::stored(ValueId id) const {
  for (const Node* node = producer(id); node != nullptr; node = producer(id)) {
    const bool is_float_cast = node->is("Cast") && is_float(dtype(node->input(0))) && is_float(dtype(id));
    if (!is_float_cast && !node->is("Expand")) {
      break;
    }
    id = node->input(0);
  }
  return id;
}

DType RaiseContext::dtype(ValueId id) const {
  if (graph.is_constant(id)) {
    return compute_dtype(*graph.value(id).constant);
  }
  const Node* node = producer(id);
  if (node != nullptr && node->is("Cast")) {
    const auto to = find_data_type(static_cast<int32_t>(node->get_int("to", 0)));
    return to ? to->dtype : DType::undefined;
  }
  return node != nullptr && node->is("Expand") ? dtype(node->input(0)) : DType::undefined;
}

ValueId RaiseContext::constant(const AffineParts& parts, DType dtype) {
  const Key key = {parts.codes, parts.scales, parts.zero_points, parts.shape, parts.bits, parts.block, dtype};
  const auto made = made_.find(key);
  if (made != made_.end()) {
    return made->second;
  }
  const EncodingPtr encoding = affine_encoding(*this, parts);
  const ValueId id = encoding == nullptr ? kNoValue : add(parts.codes, encoding, dtype);
  made_.emplace(key, id);
  return id;
}

ValueId RaiseContext::add(ValueId codes, EncodingPtr encoding, DType dtype) {
  const std::string wanted = graph.value(codes).name;
  const ValueId id = graph.add_constant(wanted, std::move(encoding));
  Value& value = graph.value(id);
  value.type = ValueType{.dtype = dtype};
  value.doc = graph.value(codes).doc;
  value.metadata = graph.value(codes).metadata;
  names_.emplace_back(value.name, wanted);
  return id;
}

ValueId RaiseContext::add_once(ValueId codes, EncodingPtr encoding) {
  const auto made = made_once_.find(codes);
  if (made != made_once_.end()) {
    return made->second;
  }
  const ValueId id = add(codes, std::move(encoding), DType::f32);
  made_once_.emplace(codes, id);
  return id;
}

void RaiseContext::rename() const {
  for (const auto& [now, wanted] : names_) {
    const auto id = graph.find(now);
    if (id && !graph.find(wanted)) {
      graph.value(*id).name = wanted;
    }
  }
}

void become(Node& node, std::string_view op_type, std::vector<ValueId> inputs,
            std::initializer_list<std::string_view> idiom_attributes) {
  node.domain.clear();
  node.op_type = op_type;
  node.inputs = std::move(inputs);
  for (const std::string_view attribute : idiom_attributes) {
    node.erase(attribute);
  }
}

void abandon_outputs(Graph& graph, Node& node) {
  for (ValueId& id : node.outputs) {
    id = graph.add("abandoned");
  }
}

}  // namespace terse::onnx
