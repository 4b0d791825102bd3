#pragma once

#include <string_view>

#include "formats/architectures/blocks.h"
#include "formats/architectures/stacks.h"

namespace terse::architectures {

/// What a token's chosen experts count.
enum class Shares {
  of_chosen,  ///< the softmax over their scores alone: they add up to one
  of_all,     ///< of the softmax over the scores of all experts
};

struct ExpertsTraits {
  ExpertNames names;
  Size count, chosen;  ///< of experts, of those that each token goes through
  Shares shares = Shares::of_chosen;
  std::string_view activation;
  Size width, inner;
};

/// A mixture of gated feed-forwards: each token's sum over its best experts, weighted by their shares. Shapes: `x` and
/// the result [batch, tokens, width].
///
/// Experts are linears of their own, and read the rows of their own tokens alone:
///
///     scores = x W_router          TopK -> the chosen experts, their shares
///     for each expert              Gather(x, its tokens) -> gate, up, down -> times its shares
///     Concat of all rows           Gather back into the order of tokens, ReduceSum over each token's experts
///
/// Why not com.microsoft's MoE and QMoE: they hold all experts in one way of storing, of 4 or 8 bits and few block
/// sizes; plain linears hold whatever linears hold, run wherever they run, and what each expert reads can be measured.
ValueId add_experts(Blocks& blocks, ValueId x, const ExpertsTraits& traits);

}  // namespace terse::architectures
