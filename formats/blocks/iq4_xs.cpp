#include "formats/blocks/block_bits.h"

// IQ4_XS: 256 indices into the table of IQ4_NL; 8 sub-blocks of 32 with a signed scale of 6 bits each.
//   Layout     d f16; scales_h u16; scales_l[4]; qs[128]: each 16 bytes as Q4_0. Scales are stored + 32: the low four
//              bits of scale j are nibble j of scales_l (low nibble first), the upper two bits 2 j and 2 j + 1 of
//              scales_h
//   Range      d * scale * (-127 to 113)
//   Precision  0.54 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       4.25 bits a number

namespace terse {

constinit const BlockCodec kIq4Xs = {
    .elements = 256,
    .sub_elements = 32,
    .codes = 16,
    .offset = 0,
    .table = &kBellLevels,
    .scales = {-32, 31},
    .mins = {},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          parts.scale = load_half(bytes);
          for (size_t j = 0; j < 8; ++j) {
            const unsigned low = (bytes[4 + j / 2] >> (j % 2 * 4)) & 15U;
            const unsigned high = (bytes[2 + j / 4] >> (j % 4 * 2)) & 3U;
            parts.scales[j] = static_cast<int16_t>(static_cast<int>(low | high << 4U) - 32);
            unpack_nibbles(bytes + 8 + j * 16, 16, parts.codes.data() + j * 32);
          }
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          std::memset(bytes, 0, 8);
          store_half(parts.scale, bytes);
          for (size_t j = 0; j < 8; ++j) {
            const auto stored = static_cast<unsigned>(parts.scales[j] + 32);
            bytes[4 + j / 2] = static_cast<uint8_t>(bytes[4 + j / 2] | (stored & 15U) << (j % 2 * 4));
            bytes[2 + j / 4] = static_cast<uint8_t>(bytes[2 + j / 4] | stored >> 4U << (j % 4 * 2));
            pack_nibbles(parts.codes.data() + j * 32, 16, bytes + 8 + j * 16);
          }
        },
};

}  // namespace terse
