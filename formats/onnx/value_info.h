#pragma once

#include "formats/graph.h"
#include "formats/onnx/proto.h"

namespace terse::onnx {

/// Gives a value what the file says of it: type (constants have theirs), documentation, metadata. A type that is no
/// tensor's is carried in the file's own encoding.
void describe_value(Value& value, const ::onnx::ValueInfoProto& info);

}  // namespace terse::onnx
