#include "passes/projection.h"

#include "formats/error.h"
#include "passes/constraints/dense.h"
#include "passes/solvers/panels.h"

namespace terse::passes {

std::unique_ptr<Constraint> Projection::mask(const EncodingPtr& /*weight*/, Knowledge /*knowledge*/) const {
  throw Error(Kind::internal, "a pass that makes no masks was asked for one");
}

std::unique_ptr<EncodedConstraint> Projection::encode(const Encoding& /*weight*/) const {
  throw Error(Kind::internal, "a pass that makes no encodings was asked for one");
}

namespace {

/// One weight and what is asked of it.
struct Task {
  const EncodingPtr& weight;
  const Encoding& target;  ///< what is solved and judged in its place
  std::span<const Projection* const> masks;
  const Projection* encoder;
  const OutputError* judge;  ///< null without data
  const std::function<void(double)>& progress;

  std::unique_ptr<EncodedConstraint> encoded() const {
    std::unique_ptr<EncodedConstraint> last = encoder != nullptr
                                                  ? encoder->encode(*weight)
                                                  : std::make_unique<DenseConstraint>(*weight, compute_dtype(*weight));
    if (!masks.empty() && !last->holds_zero()) {
      throw Error(Kind::usage,
                  "{} holds no zeros, which a mask would leave: use a type that does, such as Q4_0 or Q6_K",
                  describe(last->plan()));
    }
    return last;
  }

  Projected solve(const SolverRow& solver, LayerInputs* inputs) const {
    const auto rows = static_cast<double>(weight->rows());
    for (auto last = encoded();;) {
      std::vector<std::unique_ptr<Constraint>> parts;
      for (const Projection* mask : masks) {
        parts.push_back(mask->mask(weight, inputs == nullptr ? Knowledge::weights : inputs->knowledge()));
      }
      last->allocate();
      Composition composition(std::move(parts), *last);
      const Solution solution =
          solver.solve(target, composition, inputs, [&](int64_t done) { progress(static_cast<double>(done) / rows); });
      auto widened = last->widened();
      if (widened == nullptr) {
        return judged({.encoding = last->finish(), .solution = solution, .solver = solver.name, .output_error = {}});
      }
      last = std::move(widened);
    }
  }

  Projected judged(Projected projected) const {
    if (judge != nullptr) {
      projected.output_error = judge->relative(projected.encoding);
    }
    return projected;
  }
};

/// True if a solver wants the inverse of a matrix that has none.
bool lacks_factor(std::string_view solver, LayerInputs& inputs) {
  const Knowledge wanted = solver == "auto" ? Knowledge::products : get_solver(solver).needs;
  return wanted == Knowledge::products && inputs.knowledge() == Knowledge::products && inputs.find_factor() == nullptr;
}

/// Of the solutions that can be found with what is known, the one with the smallest error on the inputs that judge.
Projected solve_best(const Task& task, LayerInputs& inputs) {
  std::optional<Projected> best;
  for (const SolverRow& solver : solvers()) {
    if (solver.needs > inputs.knowledge() || lacks_factor(solver.name, inputs)) {
      continue;
    }
    Projected found = task.solve(solver, &inputs);
    if (!best || *found.output_error < *best->output_error) {
      best = std::move(found);
    }
  }
  return *std::move(best);
}

}  // namespace

Projected project(const EncodingPtr& weight, std::span<const Projection* const> masks, const Projection* encoder,
                  Effort effort, std::string_view solver, LayerInputs* inputs,
                  const std::function<void(double)>& progress) {
  const bool is_exact = masks.empty() && (encoder == nullptr || encoder->part() == Projection::Part::type);
  const bool is_informed = effort == Effort::solve && inputs != nullptr && !is_exact;
  const bool makes_up = solver == "auto" || get_solver(solver).needs == Knowledge::products;
  const std::optional<Encoding> corrected = is_informed && makes_up ? inputs->correct(*weight) : std::nullopt;
  const Encoding& target = corrected ? *corrected : *weight;
  std::optional<OutputError> judge;
  if (effort == Effort::solve && inputs != nullptr) {
    judge.emplace(inputs->judge(target));
  }
  const Task task{weight, target, masks, encoder, judge ? &*judge : nullptr, progress};
  if (effort == Effort::plan) {
    return {.encoding = task.encoded()->plan(), .solution = std::nullopt, .solver = {}, .output_error = {}};
  }
  if (!is_informed) {
    return task.solve(solvers().front(), inputs);
  }
  if (solver != "auto" && get_solver(solver).needs > inputs->knowledge()) {
    throw Error(Kind::input, "solver={} needs to know how inputs belong together, which the statistics do not say",
                solver);
  }
  const bool gives_way = lacks_factor(solver, *inputs);
  Projected projected =
      solver == "auto" ? solve_best(task, *inputs) : task.solve(get_solver(gives_way ? "weighted" : solver), inputs);
  if (gives_way) {
    projected.note = fmt::format("no damping makes the statistics of its inputs positive definite, so solved by {}",
                                 projected.solver);
  }
  if (corrected) {
    projected.solution = compare(*weight, projected.encoding);
  }
  return projected;
}

}  // namespace terse::passes
