#pragma once

#include <cstdint>

#include "formats/encoding.h"

namespace terse {

/// The rows `first` to `first + rows - 1` of a weight [.., out, in] as a matrix [rows, in] that shares its bytes: one
/// expert's of a stack. Planned encodings give planned ones.
/// Errors: input if it has no such rows; unsupported if they do not lie together: of a transposed matrix other than the
///         whole, or part of rows that share a scale or a codebook.
EncodingPtr slice_rows(const EncodingPtr& weight, int64_t first, int64_t rows);

}  // namespace terse
