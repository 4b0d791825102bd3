#include "calibration/drift.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "calibration/ops/vector_math.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

constexpr int64_t kPanel = 512;        // rows, as of Gram
constexpr int64_t kGatheredRows = 64;  // a task of gathering
constexpr int64_t kTile = 256;         // rows of the result

void store(std::span<const float> numbers, float factor, Tensor& panel, int64_t offset) {
  if (panel.dtype() == DType::bf16) {
    vector_to_bfloat16(numbers.data(), factor, panel.mutable_values<BFloat16>().data() + offset, std::ssize(numbers));
  } else {
    std::ranges::transform(numbers, panel.mutable_values<float>().data() + offset, [&](float x) { return x * factor; });
  }
}

}  // namespace

void Drift::begin() {
  const DType dtype = precision_ == Precision::bf16 ? DType::bf16 : DType::f32;
  rows_ = Tensor::uninitialized(dtype, {kPanel, columns_});
  differences_ = Tensor::uninitialized(dtype, {kPanel, columns_});
  matrix_.resize(static_cast<size_t>(columns_ * columns_));
}

void Drift::add(std::span<const float> rows, std::span<const float> originals, std::span<const float> weights) {
  if (matrix_.empty()) {
    begin();
  }
  const auto count = static_cast<int64_t>(rows.size()) / std::max<int64_t>(columns_, 1);
  for (int64_t first = 0; first < count;) {
    const int64_t taken = std::min(count - first, kPanel - gathered_);
    parallel_ranges(taken, kGatheredRows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = first + i;
        gather(rows.data() + row * columns_, originals.data() + row * columns_,
               weights.empty() ? 1 : std::sqrt(weights[static_cast<size_t>(row)]), gathered_ + i);
      }
    });
    first += taken;
    gathered_ += taken;
    if (gathered_ == kPanel) {
      flush();
    }
  }
}

void Drift::gather(const float* row, const float* original, float factor, int64_t to) {
  const auto size = static_cast<size_t>(columns_);
  std::vector<float> difference(size);
  std::transform(original, original + columns_, row, difference.begin(), std::minus<>());
  store({row, size}, factor, rows_, to * columns_);
  store(difference, factor, differences_, to * columns_);
}

void Drift::flush() {
  if (precision_ == Precision::bf16) {
    add_panel(rows_.values<BFloat16>().data(), differences_.values<BFloat16>().data());
  } else {
    add_panel(rows_.values<float>().data(), differences_.values<float>().data());
  }
  gathered_ = 0;
}

template <typename T>
void Drift::add_panel(const T* rows, const T* differences) {
  parallel_ranges(columns_, kTile, [&](int64_t begin, int64_t end) {
    multiply(BasicProduct<T>{.m = end - begin,
                             .n = columns_,
                             .k = gathered_,
                             .a = rows + begin,
                             .lda = columns_,
                             .transpose_a = true,
                             .b = differences,
                             .ldb = columns_,
                             .c = matrix_.data() + begin * columns_,
                             .ldc = columns_,
                             .accumulate = true});
  });
}

void Drift::finish() {
  if (gathered_ > 0) {
    flush();
  }
  rows_ = differences_ = Tensor();
}

}  // namespace terse::calibration
