#pragma once

#include <cstdint>

#include "formats/encoding.h"

namespace terse {

// Rotary positions turn the dimensions of a head in pairs. Hugging Face's checkpoints have the two of a pair half a
// head apart, GGUF's "llama" has them as neighbours; queries and keys differ by the order of their weights' rows alone:
//
//   halves      a0 a1 a2 a3 b0 b1 b2 b3      (one head of 8 rows; a_i and b_i are a pair)
//   neighbours  a0 b0 a1 b1 a2 b2 a3 b3

enum class RowOrder { halves, neighbours };

/// The weight [out, in], or bias [out], of queries or keys with its rows in the other order; `heads` divides out, and
/// leaves an even number. Copies: the size of one weight. Planned encodings stay as they are.
/// Errors: input for rows that are no such heads; unsupported for codebooks that several rows share.
EncodingPtr reorder_rows(const EncodingPtr& weight, int64_t heads, RowOrder to);

}  // namespace terse
