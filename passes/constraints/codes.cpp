#include "passes/constraints/codes.h"

#include "formats/encoding.h"

namespace terse::passes {

void store_codes(std::span<uint8_t> row, int64_t first_column, int bits, std::span<const uint8_t> codes) {
  const int64_t first_bit = first_column * bits;
  if (first_bit % 8 == 0) {
    pack_codes(codes, bits, row.subspan(static_cast<size_t>(first_bit / 8)));
    return;
  }
  for (size_t i = 0; i < codes.size(); ++i) {
    const int64_t bit = first_bit + static_cast<int64_t>(i) * bits;
    row[static_cast<size_t>(bit / 8)] |= static_cast<uint8_t>(codes[i] << (bit % 8));
  }
}

}  // namespace terse::passes
