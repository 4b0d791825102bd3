#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "calibration/gram.h"
#include "formats/encoding.h"
#include "passes/constraints/constraint.h"

namespace terse::passes {

/// How far the outputs of a layer are from what they were, for the samples of a Gram matrix H: tr(E H E^T) of the error
/// E = W - Q over tr(W H W^T) of the original weight W.
/// Results: the same digits on any number of threads.
class OutputError {
 public:
  /// `before` [rows, columns] and what is known of the inputs must outlive it. Cost: as of `relative`.
  OutputError(const Encoding& before, const calibration::Gram& hessian);
  /// Where only the diagonal of H is known: each column's squares count `diagonal` times.
  OutputError(const Encoding& before, Importance diagonal);

  /// 0 if the original's outputs are all zero. Cost: rows * columns^2 multiplications; with a diagonal it streams.
  double relative(const Encoding& after) const;

  double signal() const { return signal_; }  ///< tr(W H W^T)

 private:
  /// Sum over rows x [count, columns] of x H x^T.
  using Form = std::function<double(std::span<const float> x, int64_t count)>;
  OutputError(const Encoding& before, Form form);

  const Encoding& before_;
  Form form_;
  double signal_;
};

}  // namespace terse::passes
