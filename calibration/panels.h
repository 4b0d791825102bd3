#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "calibration/gemm.h"
#include "formats/tensor.h"

namespace terse::calibration {

/// [512, columns], not yet filled: rows that sums of products are made of, gathered before they are multiplied.
Tensor make_panel(int64_t columns, Precision precision);

/// Puts factor * row into a panel's row `to`, rounded as the panel is.
void put_row(std::span<const float> row, float factor, Tensor& panel, int64_t to);

/// By what a row is multiplied, for its products to count `weights[row]` times (empty: once).
float row_factor(std::span<const float> weights, int64_t row);

/// Gathers `count` more rows behind the `gathered` that a panel has already: `gather(row, to)` for each, by several
/// threads, and whenever the panel is full `flush()`, which sets `gathered` to 0.
void fill_panels(int64_t count, int64_t& gathered, const std::function<void(int64_t row, int64_t to)>& gather,
                 const std::function<void()>& flush);

}  // namespace terse::calibration
