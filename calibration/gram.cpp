#include "calibration/gram.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>

#include "calibration/ops/vector_math.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

constexpr int64_t kPanel = 512;        // rows: a panel of 2,048 columns is 4 MiB and stays in cache for all tiles
constexpr int64_t kGatheredRows = 64;  // a task of gathering
constexpr int64_t kTile = 256;         // of the result: enough of them for many threads, large enough for full speed

struct Tile {
  int64_t row = 0, column = 0;
};

std::vector<Tile> upper_tiles(int64_t columns) {
  std::vector<Tile> tiles;
  for (int64_t row = 0; row < columns; row += kTile) {
    for (int64_t column = row; column < columns; column += kTile) {
      tiles.push_back({row, column});
    }
  }
  return tiles;
}

}  // namespace

Gram::Gram(int64_t columns, Precision precision)
    : columns_(columns),
      panel_(Tensor::uninitialized(precision == Precision::bf16 ? DType::bf16 : DType::f32, {kPanel, columns})),
      matrix_(static_cast<size_t>(columns * columns)) {}

void Gram::add(std::span<const float> rows, std::span<const float> weights) {
  const auto count = static_cast<int64_t>(rows.size()) / std::max<int64_t>(columns_, 1);
  for (int64_t first = 0; first < count;) {
    const int64_t taken = std::min(count - first, kPanel - gathered_);
    parallel_ranges(taken, kGatheredRows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = first + i;
        gather(rows.data() + row * columns_, weights.empty() ? 1 : std::sqrt(weights[static_cast<size_t>(row)]),
               gathered_ + i);
      }
    });
    first += taken;
    gathered_ += taken;
    if (gathered_ == kPanel) {
      flush();
    }
  }
  rows_ += count;
}

void Gram::gather(const float* row, float factor, int64_t to) {
  const int64_t offset = to * columns_;
  if (panel_.dtype() == DType::bf16) {
    vector_to_bfloat16(row, factor, panel_.mutable_values<BFloat16>().data() + offset, columns_);
  } else {
    std::transform(row, row + columns_, panel_.mutable_values<float>().data() + offset,
                   [&](float x) { return x * factor; });
  }
}

void Gram::flush() {
  if (panel_.dtype() == DType::bf16) {
    add_panel(panel_.values<BFloat16>().data());
  } else {
    add_panel(panel_.values<float>().data());
  }
  gathered_ = 0;
}

template <typename T>
void Gram::add_panel(const T* panel) {
  const std::vector<Tile> tiles = upper_tiles(columns_);
  parallel_for(std::ssize(tiles), [&](int64_t i) {
    const Tile& tile = tiles[static_cast<size_t>(i)];
    multiply(BasicProduct<T>{.m = std::min(kTile, columns_ - tile.row),
                             .n = std::min(kTile, columns_ - tile.column),
                             .k = gathered_,
                             .a = panel + tile.row,
                             .lda = columns_,
                             .transpose_a = true,
                             .b = panel + tile.column,
                             .ldb = columns_,
                             .c = matrix_.data() + tile.row * columns_ + tile.column,
                             .ldc = columns_,
                             .accumulate = true});
  });
}

void Gram::finish() {
  if (gathered_ > 0) {
    flush();
  }
  panel_ = Tensor();
  for (int64_t row = 0; row < columns_; ++row) {
    for (int64_t column = 0; column < row; ++column) {
      matrix_[static_cast<size_t>(row * columns_ + column)] = matrix_[static_cast<size_t>(column * columns_ + row)];
    }
  }
}

void Gram::merge(const Gram& other) {
  assert(other.columns_ == columns_);
  std::ranges::transform(matrix_, other.matrix_, matrix_.begin(), std::plus<>());
  rows_ += other.rows_;
}

}  // namespace terse::calibration
