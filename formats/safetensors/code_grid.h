#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/encoding.h"

namespace terse::safetensors {

/// A weight [rows, columns] of n-bit codes as the files of every method hold it, before it becomes an Encoding:
/// value = (code - zero point) * scale.
struct CodeGrid {
  int64_t rows = 0, columns = 0;
  int bits = 4;   ///< 1 to 8
  Tensor codes;   ///< u8 [rows, n]: codes of a row without gaps, the first in the low bits; what follows is padding
  Tensor scales;  ///< f32, f16 or bf16 [rows, groups]
  Tensor zero_points;          ///< u8 [rows, groups]; empty: 2^(bits-1) everywhere
  int64_t group_columns = 0;   ///< columns that share a scale, where they lie side by side
  std::vector<int32_t> group;  ///< of every column, where they do not; else empty
};

/// The encoding with the same numbers. Widths that AffineEncoding lacks become the next larger one, around its middle.
/// Groups whose columns do not lie side by side have no encoding: those are decoded, into the type of the scales, as
/// the runtimes do that read such files.
EncodingPtr encode(CodeGrid grid);

/// Zero points of words [groups, n] that hold them along `rows`, as bytes [rows, groups].
Tensor unpack_zero_points(const Tensor& words, int64_t rows, int bits);

/// Codes a byte, [rows, columns], as a grid has them. `bits`: 2, 4 or 8.
Tensor pack_rows(const Tensor& codes, int bits);

/// The group of every column as a grid has it: empty if groups are runs of `group_columns`. Error input, naming the
/// weight, if one is not among `count`.
std::vector<int32_t> irregular_groups(const std::string& weight, std::span<const int64_t> groups, int64_t group_columns,
                                      int64_t count);

/// A matrix with rows and columns exchanged, of elements of 1, 2 or 4 bytes. Pages of mapped files are given back.
Tensor transposed(const Tensor& matrix);

/// Code `index` of a row of `bits` bits each, 1 to 8, without gaps.
inline uint8_t read_code(const uint8_t* row, int64_t index, int bits) {
  const int64_t bit = index * bits;
  const int shift = static_cast<int>(bit % 8);
  const unsigned low = row[bit / 8];
  const unsigned high = shift + bits > 8 ? row[bit / 8 + 1] : 0U;
  return static_cast<uint8_t>(((low | high << 8) >> shift) & ((1U << bits) - 1));
}

}  // namespace terse::safetensors
