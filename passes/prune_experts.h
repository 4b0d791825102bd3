#pragma once

#include "passes/measuring.h"
#include "passes/pass.h"

namespace terse::passes {

/// Leaves out, in each layer, the experts without which the layer's outputs change least: by the squared norm of what
/// an expert adds to its tokens, shares included, over the calibration samples. That is tr(W H W^T) of its last matrix
/// W and of the products H of the rows that were routed to it: how often it is used and how much it then says in one
/// number. What the router gives the tokens of such an expert instead is not foreseen.
/// Source:  Lasby et al. 2025, REAP, arXiv:2510.13999, which takes norms instead of their squares, and their mean.
/// Errors:  usage without samples, with other options, or if fewer experts would stay than a token goes through.
void prune_experts(Model& model, const Arguments& arguments, const Measuring& measuring);

}  // namespace terse::passes
