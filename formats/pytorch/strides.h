#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "formats/tensor.h"

namespace terse::pytorch {

/// How a tensor lies in its storage, in elements: element (i, j, ...) at offset + i * strides[0] + j * strides[1] + ...
struct StridedView {
  int64_t offset = 0;
  Shape sizes, strides;
  friend auto operator<=>(const StridedView&, const StridedView&) = default;
};

/// Error input if sizes and strides do not match, a number is negative, or an element is not inside of a storage of
/// `storage_elements`.
void check_inside(const StridedView& view, int64_t storage_elements);

/// True if the elements lie one after the other in row-major order.
bool is_contiguous(const StridedView& view);

/// The elements in row-major order, copied out of `storage`. Preconditions: the view is inside of it, and elements have
/// full bytes.
Tensor gather(const StridedView& view, DType dtype, std::span<const std::byte> storage);

}  // namespace terse::pytorch
