#include "formats/blocks/block_bits.h"

// Q3_K: 256 codes of 3 bits around 4; 16 sub-blocks of 16 with a signed scale of 6 bits each.
//   Layout     hmask[32]: bit g of byte l is the third bit of element 32 g + l; qs[64] as Q2_K; scales[12]; d f16.
//              Scales are stored + 32: the low nibbles of bytes 0 to 7 are the low 4 bits of the first eight, the high
//              nibbles those of the others; byte 8 + j holds the upper two bits of scales j, j + 4, j + 8, j + 12
//   Range      d * scale * (-4 to 3)
//   Precision  2.1 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       3.4375 bits a number

namespace terse {
namespace {

void unpack_scales(const uint8_t* bytes, BlockParts& parts) {
  for (size_t j = 0; j < 16; ++j) {
    const unsigned low = j < 8 ? bytes[j] & 15U : bytes[j - 8] >> 4U;
    const unsigned high = (bytes[8 + j % 4] >> (j / 4 * 2)) & 3U;
    parts.scales[j] = static_cast<int16_t>(static_cast<int>(low | high << 4U) - 32);
  }
}

void pack_scales(const BlockParts& parts, uint8_t* bytes) {
  std::memset(bytes, 0, 12);
  for (size_t j = 0; j < 16; ++j) {
    const auto stored = static_cast<unsigned>(parts.scales[j] + 32);
    bytes[j % 8] = static_cast<uint8_t>(bytes[j % 8] | (stored & 15U) << (j / 8 * 4));
    bytes[8 + j % 4] = static_cast<uint8_t>(bytes[8 + j % 4] | stored >> 4U << (j / 4 * 2));
  }
}

}  // namespace

constinit const BlockCodec kQ3K = {
    .elements = 256,
    .sub_elements = 16,
    .codes = 8,
    .offset = 4,
    .table = nullptr,
    .scales = {-32, 31},
    .mins = {},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          unpack_pairs(bytes + 32, parts.codes.data());
          unpack_plane(bytes, 2, parts.codes.data());
          unpack_scales(bytes + 96, parts);
          parts.scale = load_half(bytes + 108);
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          pack_plane(parts.codes.data(), 2, bytes);
          pack_pairs(parts.codes.data(), bytes + 32);
          pack_scales(parts, bytes + 96);
          store_half(parts.scale, bytes + 108);
        },
};

}  // namespace terse
