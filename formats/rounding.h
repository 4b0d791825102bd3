#pragma once

#include <cstdint>

namespace terse {

/// The quotient of a non-negative and a positive number, rounded up.
inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace terse
