#pragma once

#include "calibration/ops/small_float.h"
#include "formats/graph.h"
#include "formats/tensor.h"

namespace terse::calibration {

/// The numbers as another type, as ONNX's Cast: floats round to nearest even among themselves and are truncated to
/// integers, integers wrap around. Where ONNX leaves the result open (a float out of an integer's range, NaN) it
/// saturates and gives 0, so that every machine gives the same. `overflow` is for floats of 8 bits. Error unsupported
/// for types that terse does not compute with.
Tensor cast_to(const Tensor& in, DType dtype, Overflow overflow = Overflow::saturate);

/// A node's attribute `saturate`.
Overflow overflow_of(const Node& node);

/// Integers of 2 and 4 bits as i8 or u8; other tensors as they are.
Tensor widen(const Tensor& in);

}  // namespace terse::calibration
