#pragma once

#include <vector>

#include "formats/tensor.h"

namespace terse::calibration {

/// Entries `indices` of `data` along `axis`, an index a result: Gather with a list of indices counted from the front.
/// `shape` is that of the result. Precondition: indices are in range.
Tensor take(const Tensor& data, int64_t axis, const std::vector<int64_t>& indices, Shape shape);

}  // namespace terse::calibration
