#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "formats/graph.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/scope.h"
#include "formats/onnx/tensors.h"

namespace terse::onnx {

using ReadBlock = std::function<std::shared_ptr<Block>(const ::onnx::GraphProto&)>;

/// An attribute as a value; nullopt for a reference to an attribute of the function that the call does not give
/// (`bindings`: what it gives, null outside of functions). Errors: input if the value does not match the type that the
/// attribute states.
std::optional<AttributeValue> read_attribute(const ::onnx::AttributeProto& proto, const Bindings* bindings,
                                             TensorReader& tensors, const ReadBlock& read_block);

/// Bytes that a copy of the value takes beyond its own size; tensors and graphs are shared.
int64_t copied_bytes(const AttributeValue& value);

/// The tensor that a Constant node with these attributes makes; nullopt for a sparse one.
std::optional<Tensor> constant_tensor(const Node& node);

}  // namespace terse::onnx
