#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "calibration/walk.h"
#include "passes/solvers/obs.h"
#include "passes/solvers/output_error.h"

namespace terse::passes {

/// What is known of the inputs of some linears, in the forms that solvers want; made when first asked for, and shared
/// by all linears behind one barrier. Not for several threads at once.
class LayerInputs {
 public:
  explicit LayerInputs(const calibration::Statistics& statistics) : statistics_(statistics) {}

  const ObsFactor& factor();
  Importance diagonal();
  const calibration::Gram& hessian() const { return statistics_.solving; }

  /// The samples that solutions are judged by: held out ones, where there are any.
  const calibration::Gram& judge() const {
    return statistics_.held_out.rows() > 0 ? statistics_.held_out : statistics_.solving;
  }

 private:
  const calibration::Statistics& statistics_;
  std::optional<ObsFactor> factor_;
  std::vector<float> diagonal_;
};

/// A way to find the member of a constraint's set that is nearest to a weight.
struct SolverRow {
  std::string_view name;
  std::string_view summary;
  /// `inputs` may be null for the first row alone, which needs no data.
  Solution (*solve)(const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress);
};

std::span<const SolverRow> solvers();

/// The row of that name.
const SolverRow& get_solver(std::string_view name);

}  // namespace terse::passes
