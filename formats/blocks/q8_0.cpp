#include "formats/blocks/block_bits.h"

// Q8_0: 32 signed bytes, one scale.
//   Layout     d f16, qs[32] signed
//   Range      (-128 to 127) * d
//   Precision  0.0023 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       8.5 bits a number

namespace terse {

constinit const BlockCodec kQ80 = {
    .elements = 32,
    .sub_elements = 32,
    .codes = 256,
    .offset = 128,
    .table = nullptr,
    .scales = {1, 1},
    .mins = {},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          parts.scale = load_half(bytes);
          parts.scales[0] = 1;
          for (size_t i = 0; i < 32; ++i) {
            parts.codes[i] = bytes[2 + i] ^ 0x80U;
          }
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          store_half(parts.scale, bytes);
          for (size_t i = 0; i < 32; ++i) {
            bytes[2 + i] = parts.codes[i] ^ 0x80U;
          }
        },
};

}  // namespace terse
