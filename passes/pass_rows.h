#pragma once

#include "passes/pass.h"

namespace terse::passes {

// The rows of `passes()`, each defined in its pass's own file.
extern const PassRow kSimplify;
extern const PassRow kDropProvenance;
extern const PassRow kSplitExperts;
extern const PassRow kPrune;
extern const PassRow kPruneExperts;  // a variant of kPrune
extern const PassRow kQuantize;
extern const PassRow kCluster;
extern const PassRow kCast;

}  // namespace terse::passes
