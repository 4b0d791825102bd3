#include "formats/onnx/attributes.h"

#include <numeric>

#include "formats/error.h"

namespace terse::onnx {
namespace {

using Type = ::onnx::AttributeProto;

/// The stated type; files of IR version 1 state none, so the field that is there tells.
Type::AttributeType type_of(const ::onnx::AttributeProto& proto) {
  struct Row {
    bool is_there;
    Type::AttributeType type;
  };
  if (proto.type() != Type::UNDEFINED || has_unknown_type(proto)) {
    return proto.type();
  }
  for (const Row& row :
       {Row{proto.has_f(), Type::FLOAT}, Row{proto.has_i(), Type::INT}, Row{proto.has_s(), Type::STRING},
        Row{proto.has_t(), Type::TENSOR}, Row{proto.has_g(), Type::GRAPH}, Row{proto.floats_size() > 0, Type::FLOATS},
        Row{proto.ints_size() > 0, Type::INTS}, Row{proto.strings_size() > 0, Type::STRINGS}}) {
    if (row.is_there) {
      return row.type;
    }
  }
  return Type::UNDEFINED;
}

void expect(bool is_there, std::string_view what) {
  if (!is_there) {
    throw Error(Kind::input, "no value, expected {}", what);
  }
}

/// The attribute in the file's encoding. Tensors and graphs that do not belong to its type are left out: their numbers
/// may have been.
OpaqueAttribute opaque(::onnx::AttributeProto proto) {
  proto.clear_t();
  proto.clear_tensors();
  proto.clear_g();
  proto.clear_graphs();
  return {proto.SerializeAsString()};
}

AttributeValue read_blocks(const ::onnx::AttributeProto& proto, const ReadBlock& read_block) {
  std::vector<std::shared_ptr<Block>> blocks;
  for (const auto& graph : proto.graphs()) {
    blocks.push_back(read_block(graph));
  }
  return blocks;
}

AttributeValue read_value(const ::onnx::AttributeProto& proto, TensorReader& tensors, const ReadBlock& read_block) {
  switch (type_of(proto)) {
    case Type::FLOAT:
      expect(proto.has_f(), "a float");
      return proto.f();
    case Type::INT:
      expect(proto.has_i(), "an integer");
      return int64_t{proto.i()};
    case Type::STRING:
      expect(proto.has_s(), "a string");
      return proto.s();
    case Type::TENSOR:
      expect(proto.has_t(), "a tensor");
      return tensors.read(proto.t());
    case Type::GRAPH:
      expect(proto.has_g(), "a graph");
      return read_block(proto.g());
    case Type::FLOATS:
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case Type::INTS:
      return std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
    case Type::STRINGS:
      return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case Type::GRAPHS:
      return read_blocks(proto, read_block);
    default:
      return opaque(proto);
  }
}

/// An attribute's value as a tensor of rank 0 (one number) or 1 (a list).
struct AsTensor {
  std::optional<Tensor> operator()(const Tensor& value) const { return value; }
  std::optional<Tensor> operator()(int64_t value) const { return Tensor::scalar(value); }
  std::optional<Tensor> operator()(float value) const { return Tensor::scalar(value); }
  std::optional<Tensor> operator()(const std::string& value) const { return Tensor::strings({}, {value}); }
  std::optional<Tensor> operator()(const std::vector<std::string>& values) const {
    return Tensor::strings({std::ssize(values)}, values);
  }
  template <typename T>
    requires(kDTypeOf<T> != DType::undefined)
  std::optional<Tensor> operator()(const std::vector<T>& values) const {
    return Tensor::of({std::ssize(values)}, std::span<const T>(values));
  }
  template <typename Other>
  std::optional<Tensor> operator()(const Other&) const {
    return std::nullopt;
  }
};

struct CopiedBytes {
  int64_t operator()(const std::string& text) const { return std::ssize(text); }
  int64_t operator()(const OpaqueAttribute& opaque) const { return std::ssize(opaque.bytes); }
  template <typename T>
  int64_t operator()(const std::vector<T>& values) const {
    int64_t bytes = std::ssize(values) * static_cast<int64_t>(sizeof(T));
    if constexpr (std::is_same_v<T, std::string>) {
      bytes = std::accumulate(values.begin(), values.end(), bytes,
                              [](int64_t sum, const std::string& text) { return sum + std::ssize(text); });
    }
    return bytes;
  }
  template <typename Other>
  int64_t operator()(const Other&) const {
    return 0;
  }
};

}  // namespace

int64_t copied_bytes(const AttributeValue& value) { return std::visit(CopiedBytes(), value); }

std::optional<AttributeValue> read_attribute(const ::onnx::AttributeProto& proto, const Bindings* bindings,
                                             TensorReader& tensors, const ReadBlock& read_block) {
  if (proto.ref_attr_name().empty()) {
    return read_value(proto, tensors, read_block);
  }
  if (bindings == nullptr) {
    throw Error(Kind::input, "refers to the attribute '{}' of a function, but is in none", proto.ref_attr_name());
  }
  const auto found = bindings->find(proto.ref_attr_name());
  return found == bindings->end() ? std::nullopt : std::optional(found->second);
}

std::optional<Tensor> constant_tensor(const Node& node) {
  for (const char* name :
       {"value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings"}) {
    if (const Attribute* attribute = node.find(name)) {
      return std::visit(AsTensor(), attribute->value);
    }
  }
  if (node.find("sparse_value") == nullptr) {
    throw Error(Kind::input, "a Constant without a value");
  }
  return std::nullopt;
}

}  // namespace terse::onnx
