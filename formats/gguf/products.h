#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/reader.h"
#include "formats/tensor.h"

namespace terse::gguf {

// What terse adds to an importance matrix, for matrices that have their inputs in common, as the metadata
// terse.products.matrices and, as many, terse.products.owners say; all F32:
//
//   <owner>.xtx   [2, columns * (columns + 1) / 2]   upper triangles of X^T X, row by row: to solve from, to judge by
//   <owner>.rows  [2]                                of each
//
// A matrix is called as its entry, or <entry>.<number> if the entry has several. llama.cpp passes over such tensors.

inline constexpr std::string_view kProductsSuffix = ".xtx";
inline constexpr std::string_view kRowsSuffix = ".rows";
inline constexpr std::string_view kMatricesKey = "terse.products.matrices";
inline constexpr std::string_view kOwnersKey = "terse.products.owners";

/// How X^T X of one matrix of an entry is called.
std::string matrix_name(std::string_view entry, int64_t matrix, int64_t matrices);

inline int64_t triangle_numbers(int64_t columns) { return columns * (columns + 1) / 2; }

/// X^T X of the rows that some matrices' columns were multiplied with. Tokens are weighted
/// (calibration/token_weights.h).
struct Products {
  struct Part {
    Tensor triangles;  ///< as above, in the mapped file
    int64_t solving_rows = 0;
    int64_t held_out_rows = 0;  ///< 0: there were few samples

    std::span<const float> solving() const { return triangles.values<float>().first(half()); }
    std::span<const float> held_out() const { return triangles.values<float>().last(half()); }

   private:
    size_t half() const { return static_cast<size_t>(triangles.count()) / 2; }
  };

  std::string owner;  ///< one of the matrices that have it in common
  int64_t columns = 0;
  std::vector<Part> parts;  ///< a file each, in their order: to be added
};

using ProductsByMatrix = std::map<std::string, Products, std::less<>>;

bool is_of_products(std::string_view tensor);

/// Of a file whose entries have so many columns, by the names of their matrices. Looks at every number once and keeps
/// none in memory.
/// Errors:  input, naming the tensor, for what contradicts itself, numbers that are not finite and negative diagonals.
ProductsByMatrix read_products(const File& file, const std::map<std::string, int64_t, std::less<>>& columns);

/// Adds those of another file.
/// Errors:  input if it has them of other matrices, or in common for others.
void merge_products(ProductsByMatrix more, ProductsByMatrix& all);

}  // namespace terse::gguf
