#pragma once

#include <cstdint>
#include <utility>

#include "formats/graph.h"
#include "formats/tensor.h"

namespace terse::calibration {

// What operators ask of their arguments before they touch memory.

/// The axis counted from the front. Error input if it is not in [-rank, rank).
int64_t get_axis(int64_t axis, int64_t rank);

/// The same for a list. Error input if an axis is there twice.
std::vector<int64_t> get_axes(const std::vector<int64_t>& axes, int64_t rank);

/// An index counted from the front. Error input if it is not in [-size, size).
inline int64_t get_index(int64_t index, int64_t size);

/// Error input if an output of this size is absurd: above 2^36 bytes, which no model of ours comes near.
void check_output(DType dtype, const Shape& shape);

/// Fresh memory for an output whose size an input's *values* decide (Expand, Range, Pad). Error input as above, or if
/// the system has no more memory.
Tensor make_output(DType dtype, const Shape& shape);

/// The element type that an attribute names by its ONNX number; `otherwise` if it is absent. Error input.
DType get_dtype(const Node& node, std::string_view attribute, DType otherwise);

/// Bytes of an element. Error unsupported for strings and packed types.
int64_t element_bytes(const Tensor& tensor);

/// Product of dimensions [first, last).
int64_t product(const Shape& shape, int64_t first, int64_t last);

/// Elements of less than a byte as bytes (u8, not sign-extended); other tensors as they are.
Tensor unpack(const Tensor& tensor);
/// The way back: `dtype` is what `unpack` was given.
Tensor repack(Tensor tensor, DType dtype);

/// Runs `move`, which only moves elements; packed ones get a byte each meanwhile.
template <typename Move>
Tensor move_elements(const Tensor& data, Move&& move) {
  return repack(std::forward<Move>(move)(unpack(data)), data.dtype());
}

[[noreturn]] void fail_index(int64_t index, int64_t size);

inline int64_t get_index(int64_t index, int64_t size) {
  const int64_t from_front = index < 0 ? index + size : index;
  if (from_front < 0 || from_front >= size) {
    fail_index(index, size);
  }
  return from_front;
}

}  // namespace terse::calibration
