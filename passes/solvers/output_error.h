#pragma once

#include "calibration/gram.h"
#include "formats/encoding.h"
#include "passes/constraints/constraint.h"

namespace terse::passes {

/// Squared sums over a layer's outputs for the samples of a Gram matrix H: tr(W H W^T) of the original weight W, and
/// tr(E H E^T) of the error E = W - Q.
struct OutputError {
  double signal = 0, noise = 0;
  double relative() const { return signal > 0 ? noise / signal : 0; }
};

/// Both encodings [rows, columns]. The same digits on any number of threads. Cost: 2 rows * columns^2 multiplications.
OutputError output_error(const Encoding& before, const Encoding& after, const calibration::Gram& hessian);

/// The same where only the diagonal of H is known: each column's squares count `diagonal` times. Cost: streams.
OutputError output_error(const Encoding& before, const Encoding& after, Importance diagonal);

}  // namespace terse::passes
