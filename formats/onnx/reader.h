#pragma once

#include <filesystem>

#include "formats/model.h"

namespace terse::onnx {

/// Reads an ONNX file as it is: the first step of opening one (see formats/model.cpp for those that follow).
///
/// In the graph that comes back
///  - every initialiser and every Constant node, wherever the file had it, is a value with a dense encoding;
///    initialisers that are also listed as inputs are no inputs;
///  - large tensors are views of the mapped file or of the mapped files of external data, and may be unaligned; small
///    ones are aligned copies;
///  - calls of model-local functions are replaced by the functions' bodies;
///  - names are unique: a value or node of a function's body is called "call's name/inner name", and a name that an
///    inner graph shares with another gets a number;
///  - the domain "ai.onnx" is written "";
///  - nodes stand in an order in which they can be computed.
/// What is carried in the file's own encoding: `OpaqueAttribute::bytes` is a whole AttributeProto, `Value::opaque` a
/// TypeProto, `Model::opaque` a run of fields of ModelProto (training_info and those of newer versions).
/// Not carried: quantization_annotation, denotations, the value_info of functions.
///
/// Errors: io if a file cannot be opened, input for whatever the file says wrongly, unsupported for sparse
///         initialisers and for element types that are not known; all name the file.
/// Cost:   milliseconds; no page that holds only a tensor's numbers is touched.
Model read(const std::filesystem::path& path);

}  // namespace terse::onnx
