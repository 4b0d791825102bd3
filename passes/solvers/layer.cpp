#include "passes/solvers/layer.h"

#include <algorithm>
#include <numeric>

#include "formats/error.h"
#include "passes/solvers/column_order.h"
#include "passes/solvers/descent.h"

namespace terse::passes {
namespace {

constexpr std::array kSolvers = {
    SolverRow{"nearest", "rounds each number to the nearest one; needs no data", Knowledge::weights,
              [](const Encoding& weight, Constraint& constraint, LayerInputs* /*inputs*/, const RowProgress& progress) {
                return solve_nearest(weight, constraint, progress);
              }},
    SolverRow{"weighted", "chooses scales, tables and masks by how large each input is", Knowledge::columns,
              [](const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress) {
                return solve_weighted(weight, constraint, inputs->diagonal(), progress);
              }},
    SolverRow{"obs", "column by column, the columns behind making up for the error of each", Knowledge::products,
              [](const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress) {
                return solve_obs(weight, constraint, inputs->factor(constraint.fitting_block()), progress);
              }},
    SolverRow{"descent", "obs, then column by column again until it is no better", Knowledge::products,
              [](const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress) {
                return solve_descent(weight, constraint, inputs->factor(constraint.fitting_block()), inputs->hessian(),
                                     progress);
              }},
};

constexpr double kDeadColumn = 1e-6;  // of the mean: what its error may cost the others

/// A block of nothing but zeros would have no best scale.
void raise_zeros(std::vector<float>& importance) {
  const double mean = std::accumulate(importance.begin(), importance.end(), 0.0) /
                      static_cast<double>(std::max<size_t>(importance.size(), 1));
  const float least = mean > 0 ? static_cast<float>(kDeadColumn * mean) : 1;
  std::ranges::replace_if(
      importance, [](float x) { return x <= 0; }, least);
}

}  // namespace

std::span<const SolverRow> solvers() { return kSolvers; }

const SolverRow& get_solver(std::string_view name) {
  const auto* found = std::ranges::find(kSolvers, name, &SolverRow::name);
  if (found == kSolvers.end()) {
    throw Error(Kind::usage, "there is no solver '{}'", name);
  }
  return *found;
}

const ObsFactor* LayerInputs::find_factor() {
  if (!factor_) {
    factor_ = ObsFactor::find(hessian(), stored_order(hessian().columns()));
  }
  return *factor_ ? &**factor_ : nullptr;
}

const ObsFactor& LayerInputs::factor(const FittingBlock& blocks) {
  std::vector<int64_t> order = column_order(hessian(), blocks);
  const auto known = std::ranges::find_if(ordered_, [&](const auto& factor) { return factor->order() == order; });
  if (known != ordered_.end()) {
    return **known;
  }
  return *ordered_.emplace_back(std::make_unique<ObsFactor>(hessian(), std::move(order)));
}

Importance LayerInputs::diagonal() {
  if (importance_.empty()) {
    importance_ = diagonal_;
    for (int64_t i = 0; knowledge() == Knowledge::products && i < hessian().columns(); ++i) {
      importance_.push_back(hessian().at(i, i));
    }
    raise_zeros(importance_);
  }
  return importance_;
}

std::optional<Encoding> LayerInputs::correct(const Encoding& weight) {
  if (knowledge() != Knowledge::products || statistics_->held_out_drift.empty() || find_factor() == nullptr) {
    return std::nullopt;
  }
  if (!correction_) {
    correction_.emplace(*statistics_, *find_factor());
  }
  return correction_->apply(weight);
}

OutputError LayerInputs::judge(const Encoding& weight) const {
  if (knowledge() == Knowledge::columns) {
    return {weight, diagonal_};
  }
  const calibration::Gram& held_out = statistics_->held_out;
  return {weight, held_out.rows() > 0 ? held_out : hessian()};
}

}  // namespace terse::passes
