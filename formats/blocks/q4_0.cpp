#include "formats/blocks/block_bits.h"

// Q4_0: 32 codes of 4 bits around 8, one scale.
//   Layout     d f16, qs[16]: byte j holds element j in its low nibble, j + 16 in its high one
//   Range      (-8 to 7) * d; d may be negative, to give the peak the longer side
//   Precision  0.65 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       4.5 bits a number

namespace terse {

constinit const BlockCodec kQ40 = {
    .elements = 32,
    .sub_elements = 32,
    .codes = 16,
    .offset = 8,
    .table = nullptr,
    .scales = {1, 1},
    .mins = {},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          parts.scale = load_half(bytes);
          parts.scales[0] = 1;
          unpack_nibbles(bytes + 2, 16, parts.codes.data());
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          store_half(parts.scale, bytes);
          pack_nibbles(parts.codes.data(), 16, bytes + 2);
        },
};

}  // namespace terse
