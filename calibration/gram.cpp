#include "calibration/gram.h"

#include <algorithm>
#include <cmath>

#include "calibration/gemm.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

constexpr int64_t kPanel = 512;  // rows: a panel of 2,048 columns is 4 MiB and stays in cache for all tiles
constexpr int64_t kTile = 256;   // of the result: enough of them for many threads, large enough for full speed

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

Gram::Gram(int64_t columns)
    : columns_(columns),
      panel_(static_cast<size_t>(kPanel * columns)),
      matrix_(static_cast<size_t>(columns * columns)) {}

void Gram::add(std::span<const float> rows, std::span<const float> weights) {
  const auto count = static_cast<int64_t>(rows.size()) / std::max<int64_t>(columns_, 1);
  for (int64_t row = 0; row < count; ++row) {
    const float factor = weights.empty() ? 1 : std::sqrt(weights[static_cast<size_t>(row)]);
    const float* from = rows.data() + row * columns_;
    std::transform(from, from + columns_, panel_.data() + gathered_ * columns_, [&](float x) { return x * factor; });
    if (++gathered_ == kPanel) {
      flush();
    }
  }
  rows_ += count;
}

void Gram::flush() {
  const std::vector<Tile> tiles = upper_tiles(columns_);
  parallel_for(static_cast<int64_t>(tiles.size()), [&](int64_t i) {
    const Tile& tile = tiles[static_cast<size_t>(i)];
    multiply({.m = std::min(kTile, columns_ - tile.row),
              .n = std::min(kTile, columns_ - tile.column),
              .k = gathered_,
              .a = panel_.data() + tile.row,
              .lda = columns_,
              .transpose_a = true,
              .b = panel_.data() + tile.column,
              .ldb = columns_,
              .c = matrix_.data() + tile.row * columns_ + tile.column,
              .ldc = columns_,
              .accumulate = true});
  });
  gathered_ = 0;
}

void Gram::finish() {
  if (gathered_ > 0) {
    flush();
  }
  panel_ = {};
  for (int64_t row = 0; row < columns_; ++row) {
    for (int64_t column = 0; column < row; ++column) {
      matrix_[static_cast<size_t>(row * columns_ + column)] = matrix_[static_cast<size_t>(column * columns_ + row)];
    }
  }
}

}  // namespace terse::calibration
