#pragma once

#include "formats/graph.h"

namespace terse::onnx {

/// The mirror of lowering: a graph as read, in which weights are codes and nodes that dequantize them, becomes one in
/// which ordinary MatMul, Gather and others read constants with affine and codebook encodings. Understood are
///  - DequantizeLinear of constants (per tensor, channel or block) in front of linears, tables and others;
///  - MatMulNBits, its bias included (it becomes an Add), and GatherBlockQuantized, also where they share their codes;
///  - the arithmetic that terse itself writes (see lowering_arithmetic.cpp).
/// Linears that are raised say `transB = 1` over a weight [out, in]; attributes that an encoding does not hold
/// (accuracy_level) stay on them. What does not fit exactly (g_idx, zero points between two codes, scales along the
/// wrong axis) stays a node as it is. Codes that lie as an encoding wants them are not copied.
void raise_encodings(Graph& graph);

}  // namespace terse::onnx
