#pragma once

#include <cstdint>
#include <vector>

#include "formats/tensor.h"

namespace terse::calibration {

/// An axis counted from the end if negative, as 0 <= axis < rank (or <= rank with `rank` + 1 given). Error input if it
/// is outside.
int64_t resolve_axis(int64_t axis, int64_t rank);

/// A shape seen around one axis (or a stretch of axes): [outer, size, inner].
struct AxisView {
  int64_t outer = 1, size = 1, inner = 1;
};
AxisView view_around(const Shape& shape, int64_t first_axis, int64_t axis_count = 1);

}  // namespace terse::calibration
