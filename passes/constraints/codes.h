#pragma once

#include <cstdint>
#include <span>

namespace terse::passes {

/// Packs codes into a row of them, from `first_column` on; the codes beside them stay. The row began as zeros.
void store_codes(std::span<uint8_t> row, int64_t first_column, int bits, std::span<const uint8_t> codes);

}  // namespace terse::passes
