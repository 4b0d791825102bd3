#pragma once

#include <vector>

#include "calibration/plan.h"

namespace terse::calibration {

/// A float value that reaches the activation input of linears, directly or through operators that only rename, reshape
/// or convert it. Once it is there for all samples, all its linears can be solved from the same statistics.
struct Barrier {
  ValueId value = kNoValue;      ///< as the first of the linears reads it
  std::vector<ValueId> weights;  ///< [out, in] of the linears, in the order of their steps
  size_t step = 0;               ///< of the first linear, in Plan::steps()
};

/// Which uses of weights have barriers.
enum class Uses {
  only,  ///< of weights that are the constant operand of exactly one linear and of nothing else: what a walk may
         ///< replace
  each,  ///< every linear use of every weight
};

/// The barriers of those `weights`, in the order of their steps. A weight that two linears multiply the same value by
/// is there twice.
std::vector<Barrier> find_barriers(const Plan& plan, const std::vector<ValueId>& weights, Uses uses);

}  // namespace terse::calibration
