#include "formats/onnx/proto.h"

#include "formats/error.h"

namespace terse::onnx {
namespace {

/// Field numbers of onnx.proto that ONNX 1.12 does not have.
enum NewerField : int {
  kAttributeType = 20,  // known, but the numbers of newer types are not
  kFunctionDefaults = 11,
  kFunctionOverload = 13,
  kGraphMetadata = 16,
  kNodeMetadata = 9,
  kNodeOverload = 8,
  kTensorMetadata = 16,
  kValueMetadata = 4,
};

/// Calls `visit` with the contents of every length-delimited unknown field of that number.
template <typename Message, typename Visit>
void for_each_unknown(const Message& message, int number, Visit&& visit) {
  const auto& fields = message.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& field = fields.field(i);
    if (field.number() == number && field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      visit(field.length_delimited());
    }
  }
}

template <typename Part>
Part parse_part(const std::string& bytes, std::string_view what) {
  Part part;
  if (!part.ParsePartialFromString(bytes)) {
    throw Error(Kind::input, "{} of {} bytes is no valid protobuf message", what, bytes.size());
  }
  return part;
}

template <typename Message>
Metadata metadata(const Message& message, int number) {
  Metadata entries;
  for_each_unknown(message, number, [&](const std::string& bytes) {
    auto entry = parse_part<::onnx::StringStringEntryProto>(bytes, "a metadata entry");
    entries.emplace_back(std::move(*entry.mutable_key()), std::move(*entry.mutable_value()));
  });
  return entries;
}

template <typename Message>
std::string unknown_string(const Message& message, int number) {
  std::string text;
  for_each_unknown(message, number, [&](const std::string& bytes) { text = bytes; });
  return text;
}

}  // namespace

Metadata metadata_of(const ::onnx::NodeProto& node) { return metadata(node, kNodeMetadata); }
Metadata metadata_of(const ::onnx::GraphProto& graph) { return metadata(graph, kGraphMetadata); }
Metadata metadata_of(const ::onnx::TensorProto& tensor) { return metadata(tensor, kTensorMetadata); }
Metadata metadata_of(const ::onnx::ValueInfoProto& value) { return metadata(value, kValueMetadata); }

std::string overload_of(const ::onnx::NodeProto& node) { return unknown_string(node, kNodeOverload); }
std::string overload_of(const ::onnx::FunctionProto& function) { return unknown_string(function, kFunctionOverload); }

std::vector<::onnx::AttributeProto> defaults_of(const ::onnx::FunctionProto& function) {
  std::vector<::onnx::AttributeProto> attributes;
  for_each_unknown(function, kFunctionDefaults, [&](const std::string& bytes) {
    attributes.push_back(parse_part<::onnx::AttributeProto>(bytes, "a default attribute"));
  });
  return attributes;
}

bool has_unknown_type(const ::onnx::AttributeProto& attribute) {
  const auto& fields = attribute.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).number() == kAttributeType) {
      return true;
    }
  }
  return false;
}

std::string describe(const ::onnx::NodeProto& node, std::string_view prefix) {
  if (!node.name().empty()) {
    return fmt::format("node '{}{}'", prefix, node.name());
  }
  return fmt::format("node {} -> '{}{}'", node.op_type(), prefix, node.output_size() > 0 ? node.output(0) : "");
}

}  // namespace terse::onnx
