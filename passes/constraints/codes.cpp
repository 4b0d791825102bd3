#include "passes/constraints/codes.h"

#include "formats/encoding.h"

namespace terse::passes {

void store_codes(std::span<uint8_t> row, int64_t first_column, int bits, std::span<const uint8_t> codes) {
  const int64_t first_bit = first_column * bits;
  const auto count = static_cast<int64_t>(codes.size());
  const bool is_whole = first_bit % 8 == 0 && count * bits % 8 == 0;
  if (is_whole) {
    pack_codes(codes, bits, row.subspan(static_cast<size_t>(first_bit / 8)));
    return;
  }
  const int mask = (1 << bits) - 1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t bit = first_bit + i * bits;
    uint8_t& byte = row[static_cast<size_t>(bit / 8)];
    byte = static_cast<uint8_t>((byte & ~(mask << (bit % 8))) | (codes[static_cast<size_t>(i)] << (bit % 8)));
  }
}

}  // namespace terse::passes
