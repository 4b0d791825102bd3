#include "passes/solvers/descent.h"

#include <algorithm>
#include <functional>

#include "calibration/gemm.h"
#include "passes/solvers/panels.h"

namespace terse::passes {
namespace {

// Each sweep costs less than the one before; a third one lowers the error by less than a hundredth.
constexpr int kSweeps = 2;

/// Takes the columns in turn to where the output error is smallest while all others stay. The gradient E H follows
/// along.
class Descent {
 public:
  Descent(const std::vector<float>& target, std::span<float> weights, int64_t rows, const calibration::Gram& hessian,
          PanelFit& fit)
      : weights_(weights),
        rows_(rows),
        columns_(hessian.columns()),
        hessian_(hessian),
        fit_(fit),
        gradient_(weights.size()) {
    std::vector<float> errors(weights.size());
    std::ranges::transform(weights, target, errors.begin(), std::minus<>());
    calibration::multiply({.m = rows,
                           .n = columns_,
                           .k = columns_,
                           .a = errors.data(),
                           .lda = columns_,
                           .b = hessian.matrix().data(),
                           .ldb = columns_,
                           .c = gradient_.data(),
                           .ldc = columns_});
  }

  /// All columns once, from the left.
  void sweep() {
    for (int64_t column = 0; column < columns_; ++column) {
      move(column);
    }
  }

 private:
  void move(int64_t column) {
    const float* curvature = hessian_.matrix().data() + column * columns_;
    if (curvature[column] <= 0) {
      return;
    }
    before_.resize(static_cast<size_t>(rows_));
    for (int64_t row = 0; row < rows_; ++row) {
      float& weight = weights_[static_cast<size_t>(row * columns_ + column)];
      before_[static_cast<size_t>(row)] = weight;
      weight -= gradient_[static_cast<size_t>(row * columns_ + column)] / curvature[column];
    }
    fit_.snap(
        {.values = weights_.data() + column, .rows = rows_, .columns = 1, .stride = columns_, .first_column = column});
    for (int64_t row = 0; row < rows_; ++row) {
      const float step = weights_[static_cast<size_t>(row * columns_ + column)] - before_[static_cast<size_t>(row)];
      if (step == 0) {
        continue;
      }
      float* gradient = gradient_.data() + row * columns_;
      for (int64_t i = 0; i < columns_; ++i) {
        gradient[i] += step * curvature[i];
      }
    }
  }

  std::span<float> weights_;
  int64_t rows_, columns_;
  const calibration::Gram& hessian_;
  PanelFit& fit_;
  std::vector<float> gradient_, before_;
};

}  // namespace

Solution solve_descent(const Encoding& weight, Constraint& constraint, const ObsFactor& factor,
                       const calibration::Gram& hessian, const RowProgress& progress) {
  const int64_t fitting_columns = constraint.fitting_block().columns;
  return solve_panels(weight, constraint, progress, [&](std::span<float> values, int64_t rows, PanelFit& fit) {
    const std::vector<float> target(values.begin(), values.end());
    solve_obs_panel(values, rows, factor, fitting_columns, fit);
    Descent descent(target, values, rows, hessian, fit);
    for (int i = 0; i < kSweeps; ++i) {
      descent.sweep();
    }
  });
}

}  // namespace terse::passes
