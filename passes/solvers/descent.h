#pragma once

#include "passes/solvers/obs.h"

namespace terse::passes {

/// Solves as solve_obs does, then goes through the columns again: each moves to the member of the set that makes the
/// error of the outputs smallest while all others stay. Scales, tables and masks keep what obs has fitted. The error,
/// in which what X^T X says of each column alone counts a fifth more, never grows.
/// Source:  coordinate descent on the quadratic problem of GPTQ; Behdin et al. 2023, QuantEase, arXiv:2309.01885.
/// Errors:  as solve_obs.
/// Cost:    that of solve_obs, a product rows * columns^2, and columns multiplications for each number that moves.
Solution solve_descent(const Encoding& weight, Constraint& constraint, const ObsFactor& factor,
                       const calibration::Gram& hessian, const RowProgress& progress);

}  // namespace terse::passes
