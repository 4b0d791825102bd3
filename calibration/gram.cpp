#include "calibration/gram.h"

#include <algorithm>
#include <cassert>
#include <functional>

#include "calibration/panels.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

constexpr int64_t kTile = 256;  // of the result: enough of them for many threads, large enough for full speed

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
    : columns_(columns), panel_(make_panel(columns, precision)), matrix_(static_cast<size_t>(columns * columns)) {}

void Gram::add(std::span<const float> rows, std::span<const float> weights) {
  const auto count = static_cast<int64_t>(rows.size()) / std::max<int64_t>(columns_, 1);
  const auto gather = [&](int64_t row, int64_t to) {
    put_row(rows.subspan(static_cast<size_t>(row * columns_), static_cast<size_t>(columns_)), row_factor(weights, row),
            panel_, to);
  };
  fill_panels(count, gathered_, gather, [&] { flush(); });
  rows_ += count;
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
  fill_lower();
}

void Gram::fill_lower() {
  for (int64_t row = 0; row < columns_; ++row) {
    for (int64_t column = 0; column < row; ++column) {
      matrix_[static_cast<size_t>(row * columns_ + column)] = matrix_[static_cast<size_t>(column * columns_ + row)];
    }
  }
}

Gram Gram::of_upper(int64_t columns, int64_t rows, std::span<const std::span<const float>> triangles) {
  Gram gram(columns);
  gram.panel_ = Tensor();
  gram.rows_ = rows;
  for (const std::span<const float> triangle : triangles) {
    assert(std::ssize(triangle) == columns * (columns + 1) / 2);
    const float* from = triangle.data();
    for (int64_t row = 0; row < columns; ++row) {
      float* to = gram.matrix_.data() + row * columns + row;
      std::transform(from, from + columns - row, to, to, std::plus<>());
      from += columns - row;
    }
  }
  gram.fill_lower();
  return gram;
}

void Gram::merge(const Gram& other) {
  assert(other.columns_ == columns_);
  std::ranges::transform(matrix_, other.matrix_, matrix_.begin(), std::plus<>());
  rows_ += other.rows_;
}

}  // namespace terse::calibration
