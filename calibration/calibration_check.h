#pragma once

#include "calibration/dataset.h"

namespace terse::calibration {

/// Refuses data that says next to nothing about a model's activations, or would spoil them: before the work, not after.
/// Errors:  input for fewer than 8 samples, or fewer than 8 different ones (a constant, one text again and again); for
///          an attention_mask that leaves no token; for an input that holds NaN (infinities may be masks).
void check_calibration(const Dataset& data);

}  // namespace terse::calibration
