#pragma once

// The one door to ONNX's protobuf classes: included in .cpp files of formats/onnx only. Inside of terse::onnx they are
// called ::onnx::ModelProto and so on.
//
// The library's classes are those of ONNX 1.12. Fields that came later are unknown fields to it and are decoded here.

#include <onnx/onnx_pb.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace terse::onnx {

using Metadata = std::vector<std::pair<std::string, std::string>>;

Metadata metadata_of(const ::onnx::NodeProto& node);
Metadata metadata_of(const ::onnx::GraphProto& graph);
Metadata metadata_of(const ::onnx::TensorProto& tensor);
Metadata metadata_of(const ::onnx::ValueInfoProto& value);

std::string overload_of(const ::onnx::NodeProto& node);
std::string overload_of(const ::onnx::FunctionProto& function);

/// The attributes of a function that have default values.
std::vector<::onnx::AttributeProto> defaults_of(const ::onnx::FunctionProto& function);

/// True if the attribute is of a kind that the library does not know.
bool has_unknown_type(const ::onnx::AttributeProto& attribute);

/// "node 'attn/MatMul_3'" or, for nodes without a name, "node MatMul -> 'val_7'"; `prefix` stands before the names.
std::string describe(const ::onnx::NodeProto& node, std::string_view prefix);

}  // namespace terse::onnx
