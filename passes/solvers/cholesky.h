#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace terse::passes {

/// The inverse of the lower triangular L with L L^T = A, or nothing if A is not positive definite.
/// Shapes:  `matrix` [size, size] row-major, of which the lower triangle is read; the result as well, zeros above the
///          diagonal. Results: the same bits on any number of threads.
/// Cost:    2/3 size^3 multiplications, nearly all of them in products of blocks of 128; one matrix of that size.
std::optional<std::vector<float>> inverse_cholesky(std::vector<float> matrix, int64_t size);

}  // namespace terse::passes
