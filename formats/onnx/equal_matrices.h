#pragma once

#include <cstdint>
#include <optional>

#include "formats/encoding.h"

namespace terse::onnx {

/// How one matrix's numbers are those of another.
enum class Likeness {
  same,
  transposed,  ///< with the last two dimensions swapped
};

/// A hash of a few numbers on the diagonal, which a matrix and its transpose share. Precondition: dense, not planned,
/// of rank 2 or more, not empty. Touches a page a number and gives it back.
uint64_t sampled_hash(const Encoding& encoding);

/// Compares all bits, the first difference ends it. Preconditions as above, for both. Pages are given back on the way.
std::optional<Likeness> compare(const Encoding& a, const Encoding& b);

}  // namespace terse::onnx
