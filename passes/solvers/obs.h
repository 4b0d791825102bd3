#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "calibration/gram.h"
#include "passes/solvers/solver.h"

namespace terse::passes {

/// What error compensation needs of a layer's Hessian, its rows and columns in the order in which columns are fixed
/// (see column_order): the upper triangular U with U^T U = (H + damping)^-1. Row j of U beyond the diagonal, divided by
/// U_jj, says how the columns behind j make up for a unit error in column j.
/// Columns that no sample reaches (H_jj = 0) have nothing to make up for.
class ObsFactor {
 public:
  /// Damping: 5 % of each entry of the diagonal, and 0.3 % of their mean, which grows tenfold while H is not positive
  /// definite. `order` holds every column once. Nothing if H holds a number that is not finite, or no damping helps.
  /// Cost:    2/3 columns^3 multiplications, one matrix of that size.
  static std::optional<ObsFactor> find(const calibration::Gram& hessian, std::vector<int64_t> order);

  /// The same. Errors:  Kind::input if there is none.
  ObsFactor(const calibration::Gram& hessian, std::vector<int64_t> order);

  /// Columns in the order in which they are stored.
  explicit ObsFactor(const calibration::Gram& hessian);

  int64_t columns() const { return static_cast<int64_t>(order_.size()); }
  const std::vector<int64_t>& order() const { return order_; }
  /// Rows and columns count in this order.
  const float* row(int64_t index) const { return factor_.data() + index * columns(); }
  double damping() const { return damping_; }  ///< what grows, as a fraction of the mean of the diagonal

  /// What a squared error in each column, as stored, costs once those behind it have made up for it: 1 / U_jj^2.
  Importance importance() const { return importance_; }

 private:
  ObsFactor(double damping, std::vector<float> factor, std::vector<int64_t> order);

  std::vector<int64_t> order_;
  double damping_ = 0;
  std::vector<float> factor_, importance_;
};

/// The work on one panel of rows: `values` [rows, columns] become members of the set.
void solve_obs_panel(std::span<float> values, int64_t rows, const ObsFactor& factor, const FittingBlock& blocks,
                     PanelFit& fit);

/// Rounds a weight column by column, in the factor's order; the columns still to come make up for each one's error.
/// Source:  Frantar et al. 2022, GPTQ, arXiv:2210.17323, algorithm 1; with a mask: Frantar and Alistarh 2023,
///          SparseGPT, arXiv:2301.00774.
/// Errors:  Kind::input if a number is not finite.
/// Cost:    rows * columns^2 multiplications.
Solution solve_obs(const Encoding& weight, Constraint& constraint, const ObsFactor& factor,
                   const RowProgress& progress);

}  // namespace terse::passes
