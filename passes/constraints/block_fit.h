#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "formats/blocks/block_codec.h"
#include "passes/constraints/grid_fit.h"

namespace terse::passes {

/// The parts of 16 blocks that codes do not hold, a lane each (see BlockParts). All are as the type stores them.
struct BlockFits {  // NOLINT(cppcoreguidelines-pro-type-member-init): one for every 16 blocks, filled whole
  using OneEach = std::array<float, kGridLanes>;
  alignas(64) OneEach scale, min;
  alignas(64) std::array<OneEach, kMostSubBlocks> scales, mins;  ///< of the sub-blocks that the type has
  float largest = 0;                                             ///< of all blocks' numbers, by magnitude
};

/// Finds the parts of the least error sum(importance * (w - q)^2), a block in each lane of a vector (see grid_fit.h),
/// so that every instruction set gives the same bits.
///
/// First every sub-block alone: candidates for scale and minimum, each refitted by least squares to its codes; then up
/// to three times neighbours of the best one; without importance fewer of both (see sub_block_plan). Then the block's
/// scale and minimum, whose whole multiples they must be: candidates, judged by how far they take the sub-blocks from
/// their best. Then, three times: the multiples and their neighbours are tried with all numbers rounded again, and
/// scale and minimum refitted to all codes of the block. Types without multiples are never worse than plain rounding.
///   columns     as many as a block has elements
///   importance  positive, an entry a column, or none
/// Range:   numbers up to 1e15; those of sub-blocks whose numbers are all below 1e-30 become zero.
/// Cost:    about 45 sweeps over the numbers; without importance 10 to 25, most of them on 16-bit integers.
BlockFits fit_blocks(const BlockCodec& codec, std::span<const LaneColumn> columns, std::span<const float> importance);

/// The best multiples of one sub-block of each of 16 blocks, whose scale and minimum `fits` has and keeps: written to
/// its place in `fits.scales` and `fits.mins`. Of types whose scales are multiples.
///   columns     as many as a sub-block has elements
///   importance  positive, an entry a column, or none
/// Cost:    about 40 sweeps over the sub-block.
void refit_sub_blocks(const BlockCodec& codec, size_t sub_block, std::span<const LaneColumn> columns,
                      std::span<const float> importance, BlockFits& fits);

/// What the levels of one sub-block are multiplied with, and what is subtracted.
struct SubBlockGrid {
  float scale = 0, min = 0;
};

inline SubBlockGrid sub_block_grid(const BlockParts& block, size_t sub_block) {
  return {.scale = block.scale * static_cast<float>(block.scales[sub_block]),
          .min = block.min * static_cast<float>(block.mins[sub_block])};
}

/// Moves numbers of one sub-block to its nearest levels, and gives their codes.
void snap_to_levels(const BlockCodec& codec, const SubBlockGrid& grid, std::span<float> values, uint8_t* codes);

/// The same for all numbers of some blocks, whose `values` lie `stride` apart: fills their codes.
void snap_blocks(const BlockCodec& codec, std::span<BlockParts> blocks, float* values, int64_t stride);

}  // namespace terse::passes
