#pragma once

#include <atomic>

namespace terse::passes {

inline constexpr float kLargestHalf = 65504.0F;
inline constexpr float kSmallestNormalHalf = 0x1p-14F;  // below, f16 loses precision bit by bit

/// Whether f16 holds a weight's scales or centroids, the largest of which has this magnitude. Small ones beside large
/// ones do no harm.
inline bool fits_half(float largest) {
  return largest <= kLargestHalf && (largest >= kSmallestNormalHalf || largest == 0);
}

/// Any number of threads.
inline void raise_to(std::atomic<float>& largest, float value) {
  float seen = largest.load();
  while (seen < value && !largest.compare_exchange_weak(seen, value)) {
  }
}

}  // namespace terse::passes
