#pragma once

#include <span>

#include "formats/blocks/block_codec.h"
#include "passes/constraints/grid_fit.h"

namespace terse::passes {

/// Where the search of a sub-block begins (see GridCandidate): its peak, or with a minimum its range, is mapped to
/// `step` levels; `shift` is added to the codes of types with a minimum. Their number is a multiple of 4.
std::span<const GridCandidate> sub_block_candidates(const BlockCodec& codec);

/// Which part of the largest multiple the largest sub-block's scale or minimum may get.
std::span<const float> multiple_candidates();

}  // namespace terse::passes
