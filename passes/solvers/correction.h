#pragma once

#include <vector>

#include "calibration/walk.h"
#include "passes/solvers/obs.h"

namespace terse::passes {

/// Lets a linear make up for what happened before it: with x0 the inputs that the original model gives it and x those
/// that it gets now, moves a weight W towards W + W M, M = D^T (H + damping)^-1 with D = sum of x^T (x0 - x): the
/// weight whose outputs for x are nearest to W's for x0.
/// Source:  Li et al. 2025, GPTAQ, arXiv:2504.02692, in closed form.
/// How far: three quarters as far as lowers the error of held-out samples most.
/// Measured without / a half / three quarters / all of that: testdata/lm, KL divergence relative to a half's, geometric
/// mean over five grids of 4 bits 1.23 / 1 / 0.92 / 0.90, over four of 2 bits 1.58 / 1 / 0.96 / 1.02; MiniLM in 4 bits,
/// blocks of 32, mean cosine 0.98867 / 0.99114 / - / 0.99141. SmolLM2-135M in 4 bits, blocks of 32, 48 windows of 512:
/// 0.1229 nats without, 0.1087 with 0.5 M, whatever held-out samples say.
class Correction {
 public:
  /// `statistics` with drifts, also of held-out samples. `factor` has columns as they are stored. Cost: 3 products of
  /// columns^3; one matrix of that size, and 256 rows of one a thread.
  Correction(const calibration::Statistics& statistics, const ObsFactor& factor);

  double strength() const { return strength_; }  ///< how much of M is used: 0 to 1

  /// The weight to solve in place of the given one: dense f32 of the same shape. Cost: rows * columns^2
  /// multiplications; all numbers in f32.
  Encoding apply(const Encoding& weight) const;

 private:
  int64_t columns_;
  std::vector<float> matrix_;  ///< 1 + strength * M
  double strength_;
};

}  // namespace terse::passes
