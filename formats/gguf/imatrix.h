#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/products.h"

namespace terse::gguf {

// Of an entry, see imatrix.cpp.
inline constexpr std::string_view kSquaresSuffix = ".in_sum2";
inline constexpr std::string_view kCountsSuffix = ".counts";

/// How large the inputs of one tensor's columns were, over the rows that a matrix saw. Experts that lie in one tensor
/// are matrices of their own; the old form of the file does not say where one ends: there they are one long one.
struct ColumnSums {
  std::vector<double> squares;  ///< [matrices, columns], sums
  std::vector<int64_t> counts;  ///< a matrix; rows, or in the old form chunks

  int64_t matrices() const { return static_cast<int64_t>(counts.size()); }
  int64_t columns() const { return static_cast<int64_t>(squares.size() / counts.size()); }

  /// Mean squares, an entry a column; empty for a matrix that saw nothing.
  std::vector<float> means(int64_t matrix) const;
};

/// llama.cpp's importance matrix: what its llama-imatrix has measured, and llama-quantize weighs errors by.
struct Imatrix {
  enum class Form {
    gguf,  ///< counts are rows
    dat,   ///< the old one: counts are chunks, of a length that the file does not say
  };

  Form form = Form::gguf;
  std::map<std::string, ColumnSums, std::less<>> entries;  ///< by the tensor's name in GGUF files
  ProductsByMatrix products;                               ///< X^T X; empty in all files but terse's full ones
  std::vector<std::string> datasets;                       ///< what it was measured on
  int64_t chunk_count = 0, chunk_size = 0;                 ///< 0: the file does not say
};

/// Reads either form.
/// Errors:  io; input, naming file and entry, for whatever contradicts itself or the file's size, and for numbers that
///          no sum of squares or count can be.
Imatrix read_imatrix(const std::filesystem::path& path);

/// Reads several as if all had been measured in one run, in this order: sums and counts are added.
/// Errors:  as above; input if two differ in form, in the shape of an entry, or in what has products.
Imatrix read_imatrices(std::span<const std::filesystem::path> paths);

}  // namespace terse::gguf
