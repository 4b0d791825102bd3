#pragma once

#include <span>

#include "formats/blocks/block_codec.h"
#include "passes/constraints/grid_fit.h"

namespace terse::passes {

/// Whether errors in some columns count more than in others.
enum class ErrorWeights { equal, differing };

/// How the scale and minimum of a sub-block are searched.
struct SubBlockPlan {
  /// Where the search begins (see GridCandidate): the sub-block's peak, or with a minimum its range, is mapped to
  /// `step` levels; `shift` is added to the codes of types with a minimum. Their number is a multiple of 4.
  std::span<const GridCandidate> candidates;
  size_t rounds = 0;  ///< how often neighbours of the best one are tried, at most 3
};

SubBlockPlan sub_block_plan(const BlockCodec& codec, ErrorWeights weights);

/// Which part of the largest multiple the largest sub-block's scale or minimum may get.
std::span<const float> multiple_candidates();

}  // namespace terse::passes
