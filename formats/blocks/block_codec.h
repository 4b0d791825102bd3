#pragma once

#include <array>
#include <cstdint>

namespace terse {

inline constexpr int64_t kMostElements = 256;
inline constexpr int64_t kMostSubBlocks = 16;

/// A block taken apart. What it means, for element i in sub-block j = i / codec.sub_elements, rounded to float after
/// every operation, in this order:
///   value = (scale * scales[j]) * level(codes[i]) - (min * mins[j])
struct BlockParts {
  float scale = 0;  ///< exactly as stored: f16, or a power of two
  float min = 0;    ///< likewise; 0 for types without minimum
  std::array<int16_t, kMostSubBlocks> scales{};
  std::array<uint8_t, kMostSubBlocks> mins{};
  std::array<uint8_t, kMostElements> codes{};
};

struct IntegerRange {
  int low = 0, high = 0;
};

/// The layout of one type, and what its numbers can be. One constant in the type's own file.
struct BlockCodec {
  int64_t elements = 0;
  int64_t sub_elements = 0;                       ///< elements that share a scale
  int codes = 0;                                  ///< a code is 0 to codes - 1
  int offset = 0;                                 ///< level(code) = code - offset, unless there is a table
  const std::array<int8_t, 16>* table = nullptr;  ///< level(code), ascending where a type can be encoded; else null
  IntegerRange scales;                            ///< of a sub-block; {1, 1}: there is one scale only
  IntegerRange mins;                              ///< {0, 0}: no minimum; {1, 1}: one minimum of any sign
  void (*unpack)(const uint8_t* bytes, BlockParts& parts) = nullptr;
  void (*pack)(const BlockParts& parts, uint8_t* bytes) = nullptr;  ///< null: terse only reads the type

  int64_t sub_blocks() const { return elements / sub_elements; }
  bool has_min() const { return mins.high > 0; }
  /// Whether some level times any scale is zero, so that zeros stay zeros.
  bool holds_zero() const { return table == nullptr && !has_min(); }
};

extern const BlockCodec kQ40, kQ41, kQ50, kQ51, kQ80, kIq4Nl, kMxfp4;
extern const BlockCodec kQ2K, kQ3K, kQ4K, kQ5K, kQ6K, kIq4Xs;

/// The levels of IQ4_NL and IQ4_XS: a codebook for bell-shaped numbers. Source: ggml-common.h, kvalues_iq4nl.
inline constexpr std::array<int8_t, 16> kBellLevels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                       1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace terse
