#include "calibration/panels.h"

#include <algorithm>
#include <cmath>

#include "calibration/ops/vector_math.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

constexpr int64_t kHeight = 512;       // 2,048 columns are 4 MiB and stay in cache for all tiles of a result
constexpr int64_t kGatheredRows = 64;  // a task of gathering

}  // namespace

Tensor make_panel(int64_t columns, Precision precision) {
  return Tensor::uninitialized(precision == Precision::bf16 ? DType::bf16 : DType::f32, {kHeight, columns});
}

void put_row(std::span<const float> row, float factor, Tensor& panel, int64_t to) {
  const int64_t offset = to * std::ssize(row);
  if (panel.dtype() == DType::bf16) {
    vector_to_bfloat16(row.data(), factor, panel.mutable_values<BFloat16>().data() + offset, std::ssize(row));
  } else {
    std::ranges::transform(row, panel.mutable_values<float>().data() + offset, [&](float x) { return x * factor; });
  }
}

float row_factor(std::span<const float> weights, int64_t row) {
  return weights.empty() ? 1 : std::sqrt(weights[static_cast<size_t>(row)]);
}

void fill_panels(int64_t count, int64_t& gathered, const std::function<void(int64_t row, int64_t to)>& gather,
                 const std::function<void()>& flush) {
  for (int64_t first = 0; first < count;) {
    const int64_t taken = std::min(count - first, kHeight - gathered);
    parallel_ranges(taken, kGatheredRows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        gather(first + i, gathered + i);
      }
    });
    first += taken;
    gathered += taken;
    if (gathered == kHeight) {
      flush();
    }
  }
}

}  // namespace terse::calibration
