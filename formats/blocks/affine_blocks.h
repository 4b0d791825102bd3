#pragma once

#include <optional>

#include "formats/encoding.h"

namespace terse {

// Some of GGUF's types are grids of n-bit codes with a scale for every 32 columns, just as an affine encoding says it:
//
//   Q4_0  4 bits, block 32, symmetric, scales f16
//   Q8_0  8 bits, block 32, symmetric, scales f16
//
// A scale for more columns, as GPTQ has them, is one that several blocks share.
// Nothing is rounded on the way from one to the other, so what one runtime was given another can have.

/// The block type with the same numbers as an affine encoding; nothing if there is none.
std::optional<BlockType> equal_block_type(const Encoding& affine);

/// An affine encoding as blocks of equal_block_type, which it must have. Planned ones stay planned.
Encoding to_blocks(const Encoding& affine);

/// Blocks of such a type as an affine encoding; every other encoding as it is. Planned ones stay planned.
EncodingPtr as_affine(const EncodingPtr& encoding);

}  // namespace terse
