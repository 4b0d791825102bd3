#include "formats/blocks/block_bits.h"

// Q5_0: 32 codes of 5 bits around 16, one scale.
//   Layout     d f16, qh[4], qs[16]: nibbles as Q4_0; bit j of qh, a number of 32 bits, is the fifth bit of element j
//   Range      (-16 to 15) * d
//   Precision  0.16 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       5.5 bits a number

namespace terse {

constinit const BlockCodec kQ50 = {
    .elements = 32,
    .sub_elements = 32,
    .codes = 32,
    .offset = 16,
    .table = nullptr,
    .scales = {1, 1},
    .mins = {},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          parts.scale = load_half(bytes);
          parts.scales[0] = 1;
          unpack_nibbles(bytes + 6, 16, parts.codes.data());
          unpack_fifth_bits(bytes + 2, parts.codes.data());
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          store_half(parts.scale, bytes);
          pack_fifth_bits(parts.codes.data(), bytes + 2);
          pack_nibbles(parts.codes.data(), 16, bytes + 6);
        },
};

}  // namespace terse
