#pragma once

#include "formats/model.h"

namespace terse::passes {

/// Rewrites the graph into a smaller one that computes the same (beyond the sign of zeros: bit by bit): what depends on
/// constants alone is computed now, if that makes at most 64 KiB; nodes that change nothing go; Transposes of
/// Transposes and Reshapes of Reshapes become one; equal computations and equal small constants become one; what no
/// output needs goes. Weights with roles are neither computed away nor copied. Expects canonical form, leaves canonical
/// form. Value ids change, names of inputs, outputs and weights do not.
void simplify(Model& model);

/// Drops what exporters write about the machine they ran on: stack traces, traced code, documentation that names
/// source files. The module paths of nodes stay: display names come from them.
void drop_provenance(Model& model);

}  // namespace terse::passes
