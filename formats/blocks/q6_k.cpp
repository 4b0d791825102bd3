#include "formats/blocks/block_bits.h"

// Q6_K: 256 codes of 6 bits around 32; 16 sub-blocks of 16 with a signed scale of 8 bits each.
//   Layout     ql[128], qh[64], scales[16] signed, d f16. Each half of 128 elements has 64 bytes of ql and 32 of qh:
//              ql[l] holds the low nibbles of elements l (low) and l + 64 (high), ql[l + 32] those of l + 32 and l +
//              96; qh[l] the upper two bits of l, l + 32, l + 64, l + 96, the first in the low bits
//   Range      d * scale * (-32 to 31)
//   Precision  0.029 % of the variance of normal numbers, as passes/constraints fits them
//   Cost       6.5625 bits a number

namespace terse {

constinit const BlockCodec kQ6K = {
    .elements = 256,
    .sub_elements = 16,
    .codes = 64,
    .offset = 32,
    .table = nullptr,
    .scales = {-128, 127},
    .mins = {},
    .unpack =
        [](const uint8_t* bytes, BlockParts& parts) {
          uint8_t* codes = parts.codes.data();
          std::array<uint8_t, 256> high;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
          unpack_pairs(bytes + 128, high.data());
          unpack_nibbles(bytes, 64, codes);
          unpack_nibbles(bytes + 64, 64, codes + 128);
          for (size_t i = 0; i < 256; ++i) {
            codes[i] = static_cast<uint8_t>(codes[i] | high[i] << 4U);
          }
          for (size_t j = 0; j < 16; ++j) {
            parts.scales[j] = static_cast<int16_t>((bytes[192 + j] ^ 128) - 128);  // the sign is bit 7
          }
          parts.scale = load_half(bytes + 208);
        },
    .pack =
        [](const BlockParts& parts, uint8_t* bytes) {
          std::array<uint8_t, 256> high;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
          for (size_t i = 0; i < 256; ++i) {
            high[i] = parts.codes[i] >> 4U;
          }
          pack_nibbles(parts.codes.data(), 64, bytes);
          pack_nibbles(parts.codes.data() + 128, 64, bytes + 64);
          pack_pairs(high.data(), bytes + 128);
          for (size_t j = 0; j < 16; ++j) {
            bytes[192 + j] = static_cast<uint8_t>(parts.scales[j]);
          }
          store_half(parts.scale, bytes + 208);
        },
};

}  // namespace terse
