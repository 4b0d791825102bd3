#include "calibration/drift.h"

#include <algorithm>
#include <functional>

#include "calibration/panels.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

constexpr int64_t kTile = 256;  // rows of the result

}  // namespace

void Drift::begin() {
  rows_ = make_panel(columns_, precision_);
  differences_ = make_panel(columns_, precision_);
  matrix_.resize(static_cast<size_t>(columns_ * columns_));
}

void Drift::add(std::span<const float> rows, std::span<const float> originals, std::span<const float> weights) {
  if (matrix_.empty()) {
    begin();
  }
  const auto count = static_cast<int64_t>(rows.size()) / std::max<int64_t>(columns_, 1);
  const auto size = static_cast<size_t>(columns_);
  const auto gather = [&](int64_t row, int64_t to) {
    const size_t offset = static_cast<size_t>(row) * size;
    const auto now = rows.subspan(offset, size), original = originals.subspan(offset, size);
    std::vector<float> difference(size);
    std::ranges::transform(original, now, difference.begin(), std::minus<>());
    const float factor = row_factor(weights, row);
    put_row(now, factor, rows_, to);
    put_row(difference, factor, differences_, to);
  };
  fill_panels(count, gathered_, gather, [&] { flush(); });
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
