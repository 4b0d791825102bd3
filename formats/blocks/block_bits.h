#pragma once

#include <cstdint>
#include <cstring>

#include "formats/blocks/block_codec.h"
#include "formats/half.h"

// Pieces of layouts that several block types share. Fields are little endian.

namespace terse {

inline float load_half(const uint8_t* bytes) {
  Half half;
  std::memcpy(&half.bits, bytes, sizeof half.bits);
  return to_float(half);
}

/// `value` must be a number that f16 holds.
inline void store_half(float value, uint8_t* bytes) {
  const Half half = to_half(value);
  std::memcpy(bytes, &half.bits, sizeof half.bits);
}

/// `count` low nibbles are the first `count` codes, the high nibbles the next.
inline void unpack_nibbles(const uint8_t* bytes, int count, uint8_t* codes) {
  for (int i = 0; i < count; ++i) {
    codes[i] = bytes[i] & 15U;
    codes[count + i] = bytes[i] >> 4U;
  }
}

inline void pack_nibbles(const uint8_t* codes, int count, uint8_t* bytes) {
  for (int i = 0; i < count; ++i) {
    bytes[i] = static_cast<uint8_t>((codes[i] & 15U) | (codes[count + i] & 15U) << 4U);
  }
}

/// 256 codes of 2 bits in 64 bytes: in each half of 32 bytes byte l holds elements l, l + 32, l + 64, l + 96, the first
/// in the low bits.
inline void unpack_pairs(const uint8_t* bytes, uint8_t* codes) {
  for (int i = 0; i < 256; ++i) {
    codes[i] = (bytes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3U;
  }
}

inline void pack_pairs(const uint8_t* codes, uint8_t* bytes) {
  std::memset(bytes, 0, 64);
  for (int i = 0; i < 256; ++i) {
    uint8_t& byte = bytes[i / 128 * 32 + i % 32];
    byte = static_cast<uint8_t>(byte | (codes[i] & 3U) << (i % 128 / 32 * 2));
  }
}

// Bit planes: one bit of every code in 32 bytes, or in 4.

/// Byte l holds a bit of elements l, l + 32, ..., the first in the lowest bit.
inline void unpack_plane(const uint8_t* bytes, int bit, uint8_t* codes) {
  for (int i = 0; i < 256; ++i) {
    codes[i] = static_cast<uint8_t>(codes[i] | ((bytes[i % 32] >> (i / 32)) & 1U) << bit);
  }
}

inline void pack_plane(const uint8_t* codes, int bit, uint8_t* bytes) {
  std::memset(bytes, 0, 32);
  for (int i = 0; i < 256; ++i) {
    bytes[i % 32] = static_cast<uint8_t>(bytes[i % 32] | ((codes[i] >> bit) & 1U) << (i / 32));
  }
}

/// The fifth bits of 32 codes, in order.
inline void unpack_fifth_bits(const uint8_t* bytes, uint8_t* codes) {
  for (int i = 0; i < 32; ++i) {
    codes[i] = static_cast<uint8_t>(codes[i] | ((bytes[i / 8] >> (i % 8)) & 1U) << 4U);
  }
}

inline void pack_fifth_bits(const uint8_t* codes, uint8_t* bytes) {
  std::memset(bytes, 0, 4);
  for (int i = 0; i < 32; ++i) {
    bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] | ((codes[i] >> 4U) & 1U) << (i % 8));
  }
}

/// Eight scales and eight minima of 6 bits in 12 bytes: bytes 0 to 3 hold the first four scales and bytes 4 to 7 the
/// first four minima in their low 6 bits; bytes 8 to 11 the low nibbles of the other scales (low) and minima (high),
/// whose upper two bits are the upper two of bytes 0 to 3 and 4 to 7.
inline void unpack_six_bits(const uint8_t* bytes, BlockParts& parts) {
  for (size_t j = 0; j < 4; ++j) {
    parts.scales[j] = bytes[j] & 63U;
    parts.mins[j] = bytes[4 + j] & 63U;
    parts.scales[4 + j] = static_cast<int16_t>((bytes[8 + j] & 15) | bytes[j] >> 6 << 4);
    parts.mins[4 + j] = static_cast<uint8_t>(bytes[8 + j] >> 4 | bytes[4 + j] >> 6 << 4);
  }
}

inline void pack_six_bits(const BlockParts& parts, uint8_t* bytes) {
  for (size_t j = 0; j < 4; ++j) {
    const auto scale = static_cast<unsigned>(parts.scales[4 + j]);
    const unsigned min = parts.mins[4 + j];
    bytes[j] = static_cast<uint8_t>(static_cast<unsigned>(parts.scales[j]) | scale >> 4U << 6U);
    bytes[4 + j] = static_cast<uint8_t>(parts.mins[j] | min >> 4U << 6U);
    bytes[8 + j] = static_cast<uint8_t>((scale & 15U) | (min & 15U) << 4U);
  }
}

}  // namespace terse
