#pragma once

#include <span>

#include "passes/solvers/solver.h"

namespace terse::passes {

/// What became of the numbers `before`. Equal results on every instruction set.
/// Errors:  Kind::input if a number of `before` is not finite.
Solution measure(std::span<const float> before, std::span<const float> after);

}  // namespace terse::passes
