#include "passes/solvers/layer.h"

#include <algorithm>

#include "formats/error.h"
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
                return solve_obs(weight, constraint, inputs->factor(), progress);
              }},
    SolverRow{"descent", "obs, then column by column again until it is no better", Knowledge::products,
              [](const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress) {
                return solve_descent(weight, constraint, inputs->factor(), inputs->hessian(), progress);
              }},
};

}  // namespace

std::span<const SolverRow> solvers() { return kSolvers; }

const SolverRow& get_solver(std::string_view name) {
  const auto* found = std::ranges::find(kSolvers, name, &SolverRow::name);
  if (found == kSolvers.end()) {
    throw Error(Kind::usage, "there is no solver '{}'", name);
  }
  return *found;
}

const ObsFactor& LayerInputs::factor() {
  if (!factor_) {
    factor_.emplace(hessian());
  }
  return *factor_;
}

Importance LayerInputs::diagonal() {
  if (diagonal_.empty() && knowledge() == Knowledge::products) {
    for (int64_t i = 0; i < hessian().columns(); ++i) {
      diagonal_.push_back(hessian().at(i, i));
    }
  }
  return diagonal_;
}

OutputError LayerInputs::judge(const Encoding& weight) const {
  if (knowledge() == Knowledge::columns) {
    return {weight, diagonal_};
  }
  const calibration::Gram& held_out = statistics_->held_out;
  return {weight, held_out.rows() > 0 ? held_out : hessian()};
}

}  // namespace terse::passes
