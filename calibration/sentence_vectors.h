#pragma once

#include <span>
#include <vector>

#include "calibration/token_rows.h"
#include "formats/sentence_pooling.h"

namespace terse::calibration {

/// One vector of a sequence's rows that hold text, as sentence-transformers pools them: [modes * width]. Zeros if no
/// row holds text.
std::vector<float> sentence_vector(const Rows& rows, int64_t sequence, const TextPositions& text,
                                   std::span<const Pooling> modes);

}  // namespace terse::calibration
