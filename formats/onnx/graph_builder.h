#pragma once

#include "formats/graph.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/tensors.h"

namespace terse::onnx {

/// The graph of a skeleton: names resolved to values, initialisers and Constant nodes made constants, calls of
/// functions replaced by bodies. Not sorted. Errors as `read`.
Graph build_graph(const ::onnx::ModelProto& model, TensorReader& tensors);

}  // namespace terse::onnx
