#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "calibration/ops/arguments.h"
#include "formats/tensor.h"

namespace terse::calibration {

/// A tensor as lines along one axis: line `l` starts at element start(l) and goes on every `stride` elements.
struct Lines {
  int64_t count = 0, length = 0, stride = 1;

  Lines(const Shape& shape, int64_t axis)
      : length(shape[static_cast<size_t>(axis)]), stride(product(shape, axis + 1, static_cast<int64_t>(shape.size()))) {
    count = product(shape, 0, axis) * stride;
  }
  int64_t start(int64_t line) const { return line / stride * stride * length + line % stride; }

  /// Lines that one thread takes at a time.
  int64_t grain() const { return std::max<int64_t>(1, (int64_t{1} << 15) / std::max<int64_t>(1, length)); }
};

/// A number as it is compared: halves as floats.
template <typename T>
auto comparable(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return to_float(value);
  } else {
    return value;
  }
}

/// A total order of numbers: NaN is larger than all others, as NumPy sorts it.
template <typename T>
bool is_less(T a, T b) {
  const auto x = comparable(a);
  const auto y = comparable(b);
  if constexpr (std::is_floating_point_v<std::remove_cv_t<decltype(x)>>) {
    return x < y || (std::isnan(y) && !std::isnan(x));
  } else {
    return x < y;
  }
}

}  // namespace terse::calibration
