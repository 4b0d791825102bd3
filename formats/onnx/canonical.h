#pragma once

#include "formats/graph.h"

namespace terse::onnx {

/// Brings a graph, as read and with raised encodings, into the one form that everything behind it relies on:
///  - no Identity, except where a graph output has to be another name of an input, a constant or another output;
///  - no Transpose, Reshape, Squeeze, Unsqueeze, Flatten or widening Cast between a constant float matrix and its use:
///    they become the constant's logical shape, its `DenseEncoding::transposed` and its `Value::type`;
///  - a constant right operand of MatMul and Gemm has its logical shape [out, in] and the node says `transB = 1`
///    (experts chosen by Gather or GatherND: [E, out, in], and the MatMul behind it says it). A left operand is
///    [out, in] as it stands;
///  - equal float matrices, also equal up to transposition, are one value, under the best of their names. Where uses
///    want it in both orientations each says its own `transB`;
///  - every constant float matrix has a `Value::type`: the element type in which its readers see it, whatever its
///    encoding is or becomes;
///  - nothing that no output needs.
/// No number is changed, none is copied, and few are read: eight samples of each of the matrices that share a shape,
/// and all of those whose samples agree. Pages of mapped files are given back.
/// Names of values that stay are kept, those of inputs and outputs above all.
void canonicalize(Graph& graph);

/// The steps of canonicalize, in its order.
void remove_identities(Graph& graph);
void fold_into_constants(Graph& graph);
void orient_weights(Graph& graph);
void merge_equal_weights(Graph& graph);

}  // namespace terse::onnx
