#pragma once

#include <cstdint>
#include <vector>

#include "calibration/gram.h"
#include "passes/constraints/constraint.h"

namespace terse::passes {

/// Which column a solver takes first, second, ...: those whose inputs are larger come earlier, while more columns are
/// left to make up for their errors. What is fitted together stays together: fitting blocks by the mean of their
/// diagonal entries of X^T X, within them what is refitted together likewise, within that columns. Equal ones keep
/// their order; a shorter block at the end stays there.
/// Source:  "act-order" of the GPTQ authors' code, within what a target stores.
std::vector<int64_t> column_order(const calibration::Gram& hessian, const FittingBlock& blocks);

/// 0, 1, 2, ...
std::vector<int64_t> stored_order(int64_t columns);

}  // namespace terse::passes
