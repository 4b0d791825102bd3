#include "calibration/ops/axes.h"

#include "formats/error.h"

namespace terse::calibration {

int64_t resolve_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    throw Error(Kind::input, "axis {} of a tensor of rank {}", axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

AxisView view_around(const Shape& shape, int64_t first_axis, int64_t axis_count) {
  AxisView view;
  for (int64_t i = 0; i < static_cast<int64_t>(shape.size()); ++i) {
    const int64_t dimension = shape[static_cast<size_t>(i)];
    (i < first_axis ? view.outer : i < first_axis + axis_count ? view.size : view.inner) *= dimension;
  }
  return view;
}

}  // namespace terse::calibration
