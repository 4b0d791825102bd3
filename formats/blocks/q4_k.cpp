#include "formats/blocks/block_bits.h"

// Q4_K: 256 codes of 4 bits; 8 sub-blocks of 32 with a scale and a minimum of 6 bits each.
//   Layout     d f16; dmin f16; scales[12] (see unpack_six_bits); qs[128]: each 32 bytes hold 64 elements, the first 32
//              in the low nibbles
//   Range      d * scale * (0 to 15) - dmin * min
//   Precision  0.48 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       4.5 bits a number

namespace terse {

constinit const BlockCodec kQ4K = {
    .elements = 256,
    .sub_elements = 32,
    .codes = 16,
    .offset = 0,
    .table = nullptr,
    .scales = {0, 63},
    .mins = {0, 63},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          parts.scale = load_half(bytes);
          parts.min = load_half(bytes + 2);
          unpack_six_bits(bytes + 4, parts);
          for (size_t chunk = 0; chunk < 4; ++chunk) {
            unpack_nibbles(bytes + 16 + chunk * 32, 32, parts.codes.data() + chunk * 64);
          }
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          store_half(parts.scale, bytes);
          store_half(parts.min, bytes + 2);
          pack_six_bits(parts, bytes + 4);
          for (size_t chunk = 0; chunk < 4; ++chunk) {
            pack_nibbles(parts.codes.data() + chunk * 64, 32, bytes + 16 + chunk * 32);
          }
        },
};

}  // namespace terse
