#include "formats/blocks/block_bits.h"

// Q2_K: 256 codes of 2 bits; 16 sub-blocks of 16 with a scale and a minimum of 4 bits each.
//   Layout     scales[16]: scale in the low nibble, minimum in the high one; qs[64]; d f16; dmin f16. In each half of
//              qs byte l holds elements l, l + 32, l + 64, l + 96 of 128, the first in the low bits
//   Range      d * scale * (0 to 3) - dmin * min
//   Precision  6.7 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       2.625 bits a number

namespace terse {

constinit const BlockCodec kQ2K = {
    .elements = 256,
    .sub_elements = 16,
    .codes = 4,
    .offset = 0,
    .table = nullptr,
    .scales = {0, 15},
    .mins = {0, 15},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          for (size_t j = 0; j < 16; ++j) {
            parts.scales[j] = bytes[j] & 15U;
            parts.mins[j] = bytes[j] >> 4U;
          }
          unpack_pairs(bytes + 16, parts.codes.data());
          parts.scale = load_half(bytes + 80);
          parts.min = load_half(bytes + 82);
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          for (size_t j = 0; j < 16; ++j) {
            bytes[j] = static_cast<uint8_t>(static_cast<unsigned>(parts.scales[j]) | parts.mins[j] * 16U);
          }
          pack_pairs(parts.codes.data(), bytes + 16);
          store_half(parts.scale, bytes + 80);
          store_half(parts.min, bytes + 82);
        },
};

}  // namespace terse
