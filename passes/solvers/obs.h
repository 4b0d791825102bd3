#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "calibration/gram.h"
#include "passes/solvers/solver.h"

namespace terse::passes {

/// What error compensation needs of a layer's Hessian: the upper triangular U with U^T U = (H + damping)^-1. Row j of U
/// beyond the diagonal, divided by U_jj, says how the columns behind j make up for a unit error in column j.
/// Columns that no sample reaches (H_jj = 0) have nothing to make up for.
class ObsFactor {
 public:
  /// Damping begins at 3 % of the mean of the diagonal and grows tenfold while H is not positive definite. Nothing if H
  /// holds a number that is not finite, or no damping helps.
  /// Cost:    2/3 columns^3 multiplications, one matrix of that size.
  static std::optional<ObsFactor> find(const calibration::Gram& hessian);

  /// The same. Errors:  Kind::input if there is none.
  explicit ObsFactor(const calibration::Gram& hessian);

  int64_t columns() const { return columns_; }
  const float* row(int64_t index) const { return factor_.data() + index * columns_; }
  double damping() const { return damping_; }  ///< as a fraction of the mean of the diagonal

  /// What a squared error in each column costs once those behind it have made up for it: 1 / U_jj^2.
  Importance importance() const { return importance_; }

 private:
  ObsFactor(double damping, std::vector<float> factor, int64_t columns);

  int64_t columns_;
  double damping_ = 0;
  std::vector<float> factor_, importance_;
};

/// The work on one panel of rows: `values` [rows, columns] become members of the set.
void solve_obs_panel(std::span<float> values, int64_t rows, const ObsFactor& factor, int64_t fitting_columns,
                     PanelFit& fit);

/// Rounds a weight column by column and lets the columns still to come make up for each column's error.
/// Source:  Frantar et al. 2022, GPTQ, arXiv:2210.17323, algorithm 1; with a mask: Frantar and Alistarh 2023,
/// SparseGPT,
///          arXiv:2301.00774.
/// Errors:  Kind::input if a number is not finite.
/// Cost:    rows * columns^2 multiplications.
Solution solve_obs(const Encoding& weight, Constraint& constraint, const ObsFactor& factor,
                   const RowProgress& progress);

}  // namespace terse::passes
