#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "formats/tensor.h"

namespace terse::passes {

/// Fits grids to 16 blocks side by side, each lane of a vector one block, so that no sum runs across a vector: every
/// lane does the same sequence of roundings as plain code would, and every instruction set gives the same bits.
inline constexpr int64_t kGridLanes = 16;

/// One column of 16 blocks.
struct alignas(64) LaneColumn {
  std::array<float, kGridLanes> values{};
};

struct GridSpec {
  int bits = 4;  ///< 2, 4 or 8
  bool asymmetric = false;
  DType scale_dtype = DType::f16;  ///< f16, bf16 or f32: errors are measured with scales as they are stored
};

/// value = (code - zero) * scale for each of the blocks. A block of zeros has scale 0.
struct GridFits {
  alignas(64) std::array<float, kGridLanes> scale{};
  alignas(64) std::array<float, kGridLanes> zero{};
  /// The scale that maps the block's peak to the end of the grid, before it was limited to what f16 holds.
  alignas(64) std::array<float, kGridLanes> peak_scale{};
};

/// Where a search begins: the block's peak (the number of the largest magnitude; of an asymmetric grid the range) is
/// mapped to `step` codes. Negative: the peak to the negative side, which has one code more. `shift` moves the zero
/// point from where the range puts it.
struct GridCandidate {
  float step = 0, shift = 0;
};

/// The first one is plain rounding.
std::span<const GridCandidate> grid_candidates(const GridSpec& spec);

/// The scale (with its sign) and zero point of the least error sum(importance * (w - q)^2) among the candidates, each
/// refitted by least squares to its codes (scale = <w, q> / <q, q>), the best one refitted twice more. Never worse than
/// plain rounding.
/// `importance` has an entry a column, or none.
/// Range:   blocks whose numbers are all below 1e-30 become zero.
GridFits fit_grids(const GridSpec& spec, std::span<const LaneColumn> columns, std::span<const float> importance);

/// One block's grid: value = (code - zero) * scale.
struct Grid {
  float scale = 0;
  int zero = 0;
  int bits = 4;
};

/// Moves numbers to the grid, and gives their codes: round(w * (1 / scale)) with halves to even, limited to the grid. A
/// scale of 0 maps all to zero.
void snap_to_grid(std::span<float> values, const Grid& grid, uint8_t* codes);

}  // namespace terse::passes
