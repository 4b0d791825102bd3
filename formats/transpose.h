#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace terse {

/// A matrix in memory, at any alignment: its rows lie `stride` elements apart.
template <typename Byte>
struct Strided {
  Byte* data = nullptr;
  int64_t stride = 0;
};

/// Four rows of four elements in, four columns out, by shuffles of whole rows: compilers do not find them by
/// themselves.
template <typename T>
void transpose_4x4(Strided<const std::byte> in, Strided<std::byte> out) {
  constexpr int64_t kSize = sizeof(T);
  using Row [[gnu::vector_size(4 * sizeof(T))]] = T;
  Row a, b, c, d;
  std::memcpy(&a, in.data, sizeof(Row));
  std::memcpy(&b, in.data + in.stride * kSize, sizeof(Row));
  std::memcpy(&c, in.data + 2 * in.stride * kSize, sizeof(Row));
  std::memcpy(&d, in.data + 3 * in.stride * kSize, sizeof(Row));
  const Row ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5), ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7);
  const Row bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5), bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  const Row first = __builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5);
  const Row second = __builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7);
  const Row third = __builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5);
  const Row fourth = __builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7);
  std::memcpy(out.data, &first, sizeof(Row));
  std::memcpy(out.data + out.stride * kSize, &second, sizeof(Row));
  std::memcpy(out.data + 2 * out.stride * kSize, &third, sizeof(Row));
  std::memcpy(out.data + 3 * out.stride * kSize, &fourth, sizeof(Row));
}

/// The same for a tile of any size.
template <typename T>
void transpose_tile(Strided<const std::byte> in, int64_t rows, int64_t columns, Strided<std::byte> out) {
  constexpr int64_t kSize = sizeof(T);
  const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
  for (int64_t r = 0; r < whole_rows; r += 4) {
    for (int64_t c = 0; c < whole_columns; c += 4) {
      transpose_4x4<T>({in.data + (r * in.stride + c) * kSize, in.stride},
                       {out.data + (c * out.stride + r) * kSize, out.stride});
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) {
      std::memcpy(out.data + (c * out.stride + r) * kSize, in.data + (r * in.stride + c) * kSize, sizeof(T));
    }
  }
}

/// out[c, r] = in[r, c] for a matrix of `rows` by `columns` elements of T's size (an integer type), in tiles of 16 by
/// 16: whole cache lines are read and written, few enough at once for any cache.
template <typename T>
void transpose(Strided<const std::byte> in, int64_t rows, int64_t columns, Strided<std::byte> out) {
  constexpr int64_t kTile = 16, kAhead = 2 * kTile, kSize = sizeof(T);
  for (int64_t r = 0; r < rows; r += kTile) {
    for (int64_t c = 0; c < columns; c += kTile) {
      for (int64_t ahead = 0; ahead < kTile; ++ahead) {
        __builtin_prefetch(in.data + ((r + kAhead + ahead) * in.stride + c) * kSize);
      }
      transpose_tile<T>({in.data + (r * in.stride + c) * kSize, in.stride}, std::min(kTile, rows - r),
                        std::min(kTile, columns - c), {out.data + (c * out.stride + r) * kSize, out.stride});
    }
  }
}

}  // namespace terse
