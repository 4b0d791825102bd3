#include "formats/onnx/value_info.h"

#include <algorithm>

#include "formats/onnx/data_types.h"

namespace terse::onnx {
namespace {

/// Some exporters write -1 for a dimension that they do not know.
Dimension dimension_of(const ::onnx::TensorShapeProto::Dimension& proto) {
  return {.size = proto.has_dim_value() ? std::max<int64_t>(proto.dim_value(), -1) : -1, .symbol = proto.dim_param()};
}

std::optional<ValueType> tensor_type(const ::onnx::TypeProto& proto) {
  const auto& tensor = proto.tensor_type();
  const auto type = find_data_type(tensor.elem_type());
  if (!proto.has_tensor_type() || (!type && tensor.elem_type() != 0)) {
    return std::nullopt;
  }
  ValueType value = {.dtype = type ? type->dtype : DType::undefined, .shape = std::nullopt};
  if (tensor.has_shape()) {
    value.shape.emplace();
    std::ranges::transform(tensor.shape().dim(), std::back_inserter(*value.shape), dimension_of);
  }
  return value;
}

}  // namespace

void describe_value(Value& value, const ::onnx::ValueInfoProto& info) {
  const bool has_type = info.has_type() && info.type().value_case() != ::onnx::TypeProto::VALUE_NOT_SET;
  if (has_type && value.constant == nullptr) {
    value.type = tensor_type(info.type());
    value.opaque = value.type ? "" : info.type().SerializeAsString();
  }
  if (!info.doc_string().empty()) {
    value.doc = info.doc_string();
  }
  for (auto& entry : metadata_of(info)) {
    value.metadata.push_back(std::move(entry));
  }
}

}  // namespace terse::onnx
