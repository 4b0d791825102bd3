#include "formats/blocks/block_bits.h"

// Q5_1: 32 codes of 5 bits, a scale and a minimum.
//   Layout     d f16, m f16, qh[4], qs[16] as Q5_0
//   Range      m + (0 to 31) * d; holds zero only if it is one of these
//   Precision  0.11 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       6 bits a number

namespace terse {

constinit const BlockCodec kQ51 = {
    .elements = 32,
    .sub_elements = 32,
    .codes = 32,
    .offset = 0,
    .table = nullptr,
    .scales = {1, 1},
    .mins = {1, 1},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          parts.scale = load_half(bytes);
          parts.min = -load_half(bytes + 2);
          parts.scales[0] = 1;
          parts.mins[0] = 1;
          unpack_nibbles(bytes + 8, 16, parts.codes.data());
          unpack_fifth_bits(bytes + 4, parts.codes.data());
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          store_half(parts.scale, bytes);
          store_half(-parts.min, bytes + 2);
          pack_fifth_bits(parts.codes.data(), bytes + 4);
          pack_nibbles(parts.codes.data(), 16, bytes + 8);
        },
};

}  // namespace terse
