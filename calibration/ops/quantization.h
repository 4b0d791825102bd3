#pragma once

#include <algorithm>
#include <cstdint>

#include "calibration/parallel.h"
#include "formats/tensor.h"

namespace terse::calibration {

/// Which scale belongs to which element of a tensor: one for all, one an index of `axis`, or one a block of `block`
/// indices of it. The tensor is [outer, size, inner].
class ScaleGrid {
 public:
  /// Error input if the scales fit none of these. block: 0 if there are no blocks. axis: any if there is one scale.
  ScaleGrid(const Shape& data, const Shape& scales, int64_t axis, int64_t block);

  /// Calls body(first, count, scale, step) for runs that cover the tensor, on any threads: element `first + i` has
  /// scale `scale + i * step`, step is 0 or 1.
  template <typename Body>
  void for_each_run(Body&& body) const {
    const int64_t blocks = (size_ + block_ - 1) / block_;
    const int64_t grain = std::max<int64_t>(1, kElements / std::max<int64_t>(1, block_ * inner_));
    parallel_ranges(outer_ * blocks, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        run_block(i / blocks, i % blocks, body);
      }
    });
  }

 private:
  static constexpr int64_t kElements = 1 << 15;  // of a task

  template <typename Body>
  void run_block(int64_t outer, int64_t block, Body& body) const {
    const int64_t begin = block * block_;
    const int64_t end = std::min(size_, begin + block_);
    const int64_t first = (outer * size_ + begin) * inner_;
    const int64_t scale = outer * outer_step_ + block * block_step_;
    if (inner_step_ == 0 || inner_ == 1) {
      body(first, (end - begin) * inner_, scale, 0);
      return;
    }
    for (int64_t i = begin; i < end; ++i) {
      body((outer * size_ + i) * inner_, inner_, scale, 1);
    }
  }

  int64_t outer_ = 1, size_ = 1, inner_ = 1, block_ = 1;
  int64_t outer_step_ = 0, block_step_ = 0, inner_step_ = 0;
};

/// (data - zero_point) * scale as f32. `data` are integers of up to 32 bits; `zero_points` is shaped as the scales, or
/// null: zero.
Tensor dequantize(const Tensor& data, const Tensor& scales, const Tensor* zero_points, const ScaleGrid& grid);

}  // namespace terse::calibration
