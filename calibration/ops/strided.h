#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "formats/tensor.h"

namespace terse::calibration {

/// An array of `shape` that is read and written with any strides: what Transpose, Slice, Concat, Split, Expand, Tile
/// and Pad are made of. Strides are in bytes; those of `from` may be zero or negative.
struct StridedCopy {
  Shape shape;
  const std::byte* from = nullptr;
  Shape from_strides;
  std::byte* to = nullptr;
  Shape to_strides;
  int64_t element_bytes = 0;
};

/// Copies in the longest contiguous runs there are; transposes in tiles of cache lines; in parallel if it is much.
void copy(const StridedCopy& work);

/// The same into a fresh contiguous tensor of `work.shape`; `to` and `to_strides` need not be set.
Tensor copied(StridedCopy work, DType dtype);

/// Contiguous bytes, in parallel if they are many.
void copy_bytes(std::byte* to, const std::byte* from, int64_t count);

/// The strides of a contiguous array in row-major order.
Shape row_major_strides(const Shape& shape, int64_t element_bytes);

/// Calls body(first, offset) for every line along the last dimension of `shape`: the number of its first element in
/// row-major order, and its offset under `strides` (of any unit). A scalar is a line of one element.
template <typename Body>
void for_each_line(const Shape& shape, const Shape& strides, Body&& body) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) {
    return;
  }
  const size_t outer = shape.empty() ? 0 : shape.size() - 1;
  const int64_t length = shape.empty() ? 1 : shape.back();
  Shape position(outer);
  int64_t first = 0;
  int64_t offset = 0;
  for (size_t i = outer + 1; i > 0; first += length) {
    body(first, offset);
    for (i = outer; i > 0; --i) {
      offset += strides[i - 1];
      if (++position[i - 1] < shape[i - 1]) {
        break;
      }
      offset -= strides[i - 1] * shape[i - 1];
      position[i - 1] = 0;
    }
  }
}

/// Items of `item_bytes` that one thread takes at a time: a constant amount of memory, so that small work stays on one
/// thread.
int64_t copy_grain(int64_t item_bytes);

}  // namespace terse::calibration
