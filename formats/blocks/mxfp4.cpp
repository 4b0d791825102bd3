#include <cmath>

#include "formats/blocks/block_bits.h"

// MXFP4: 32 floats of 4 bits (e2m1), one power of two. Read only.
//   Layout     e: the scale 2^(e - 127) as a byte (e8m0); qs[16] as Q4_0
//   Range      (-6 to 6) * 2^(e - 127). The table holds doubled levels, the scale is halved for it
//   Precision  levels 0, 0.5, 1, 1.5, 2, 3, 4, 6 of either sign
//   Cost       4.25 bits a number
// Source: OCP Microscaling Formats (MX) v1.0.

namespace terse {
namespace {

constexpr std::array<int8_t, 16> kDoubledLevels = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace

constinit const BlockCodec kMxfp4 = {
    .elements = 32,
    .sub_elements = 32,
    .codes = 16,
    .offset = 0,
    .table = &kDoubledLevels,
    .scales = {1, 1},
    .mins = {},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          parts.scale = std::ldexp(1.0F, static_cast<int>(bytes[0]) - 128);
          parts.scales[0] = 1;
          unpack_nibbles(bytes + 1, 16, parts.codes.data());
        },
    .pack = nullptr,
};

}  // namespace terse
