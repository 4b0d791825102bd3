#include "formats/blocks/block_bits.h"

// Q4_1: 32 codes of 4 bits, a scale and a minimum.
//   Layout     d f16, m f16, qs[16] as Q4_0
//   Range      m + (0 to 15) * d; holds zero only if it is one of these
//   Precision  0.48 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       5 bits a number

namespace terse {

constinit const BlockCodec kQ41 = {
    .elements = 32,
    .sub_elements = 32,
    .codes = 16,
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
          unpack_nibbles(bytes + 4, 16, parts.codes.data());
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          store_half(parts.scale, bytes);
          store_half(-parts.min, bytes + 2);
          pack_nibbles(parts.codes.data(), 16, bytes + 4);
        },
};

}  // namespace terse
