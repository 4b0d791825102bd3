#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "calibration/walk.h"
#include "passes/solvers/correction.h"
#include "passes/solvers/obs.h"
#include "passes/solvers/output_error.h"

namespace terse::passes {

/// What is known when a weight is solved; what stands later holds what stands before it.
enum class Knowledge {
  weights,   ///< nothing but the numbers
  columns,   ///< how large each input is
  products,  ///< X^T X
};

/// What is known of the inputs of some linears, in the forms that solvers want; made when first asked for, and shared
/// by all linears behind one barrier. Not for several threads at once.
class LayerInputs {
 public:
  explicit LayerInputs(const calibration::Statistics& statistics) : statistics_(&statistics) {}
  /// Mean squares alone, an entry a column. Solutions are judged by the same numbers.
  explicit LayerInputs(std::vector<float> mean_squares) : diagonal_(std::move(mean_squares)) {}

  Knowledge knowledge() const { return statistics_ == nullptr ? Knowledge::columns : Knowledge::products; }
  /// What a report is to say of them; may be empty.
  std::string_view note() const { return statistics_ == nullptr ? std::string_view() : statistics_->note; }
  /// Columns that no sample reaches have a little, so that what is made of them alone is rounded plainly.
  Importance diagonal();
  /// On the samples that solutions are judged by: held out ones, where there are any.
  OutputError judge(const Encoding& weight) const;

  /// The weight to solve in place of the given one, which makes up for earlier changes of the model; nothing without
  /// such changes, products, or held out samples to judge it.
  std::optional<Encoding> correct(const Encoding& weight);

  // With Knowledge::products only.
  /// Columns as they are stored. Null if no damping makes X^T X positive definite.
  const ObsFactor* find_factor();
  /// Columns in the order for these blocks (see column_order). Only if find_factor() gives one.
  const ObsFactor& factor(const FittingBlock& blocks);
  const calibration::Gram& hessian() const { return statistics_->solving; }

 private:
  const calibration::Statistics* statistics_ = nullptr;
  std::optional<std::optional<ObsFactor>> factor_;  ///< once looked for
  std::vector<std::unique_ptr<ObsFactor>> ordered_;
  std::optional<Correction> correction_;
  std::vector<float> diagonal_, importance_;
};

/// A way to find the member of a constraint's set that is nearest to a weight.
struct SolverRow {
  std::string_view name;
  std::string_view summary;
  Knowledge needs;
  /// `inputs` may be null for a row that needs no data.
  Solution (*solve)(const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress);
};

std::span<const SolverRow> solvers();

/// The row of that name.
const SolverRow& get_solver(std::string_view name);

}  // namespace terse::passes
