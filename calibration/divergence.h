#pragma once

#include <cstdint>
#include <span>

namespace terse::calibration {

/// Two rows of logits over one vocabulary, held against each other.
struct Divergence {
  double kl = 0;          ///< KL(reference || tested) of their softmax, nats; never negative; NaN if a logit is NaN
  bool same_top = false;  ///< the largest logit is the same one (of equal ones the first)
};

/// Shapes:  equal lengths, at least 1. -inf (a token that is ruled out) is allowed.
/// Cost:    one exponential a logit, in f64.
Divergence divergence(std::span<const float> reference, std::span<const float> tested);

/// log(sum(exp(row))), in f64, without overflow.
double log_sum_exp(std::span<const float> row);

/// -log softmax(row)[index], nats.
double cross_entropy(std::span<const float> row, int64_t index);

/// The index of the largest logit, of equal ones the first.
int64_t arg_max(std::span<const float> row);

}  // namespace terse::calibration
