#include "passes/solvers/layer.h"

#include <algorithm>

#include "formats/error.h"
#include "passes/solvers/descent.h"

namespace terse::passes {
namespace {

constexpr std::array kSolvers = {
    SolverRow{"nearest", "rounds each number to the nearest one; needs no data",
              [](const Encoding& weight, Constraint& constraint, LayerInputs* /*inputs*/, const RowProgress& progress) {
                return solve_nearest(weight, constraint, progress);
              }},
    SolverRow{"weighted", "chooses scales, tables and masks by how large each input is",
              [](const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress) {
                return solve_weighted(weight, constraint, inputs->diagonal(), progress);
              }},
    SolverRow{"obs", "column by column, the columns behind making up for the error of each",
              [](const Encoding& weight, Constraint& constraint, LayerInputs* inputs, const RowProgress& progress) {
                return solve_obs(weight, constraint, inputs->factor(), progress);
              }},
    SolverRow{"descent", "obs, then column by column again until it is no better",
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
    factor_.emplace(statistics_.solving);
  }
  return *factor_;
}

Importance LayerInputs::diagonal() {
  const calibration::Gram& gram = statistics_.solving;
  if (diagonal_.empty()) {
    for (int64_t i = 0; i < gram.columns(); ++i) {
      diagonal_.push_back(gram.at(i, i));
    }
  }
  return diagonal_;
}

}  // namespace terse::passes
