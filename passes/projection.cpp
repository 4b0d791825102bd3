#include "passes/projection.h"

#include "formats/error.h"
#include "passes/constraints/dense.h"

namespace terse::passes {

std::unique_ptr<Constraint> Projection::mask(const EncodingPtr& /*weight*/) const {
  throw Error(Kind::internal, "a pass that makes no masks was asked for one");
}

std::unique_ptr<EncodedConstraint> Projection::encode(const Encoding& /*weight*/) const {
  throw Error(Kind::internal, "a pass that makes no encodings was asked for one");
}

Projected project(const EncodingPtr& weight, std::span<const Projection* const> masks, const Projection* encoder,
                  Effort effort, const std::function<void(double)>& progress) {
  std::unique_ptr<EncodedConstraint> last = encoder != nullptr
                                                ? encoder->encode(*weight)
                                                : std::make_unique<DenseConstraint>(*weight, compute_dtype(*weight));
  if (!masks.empty() && !last->holds_zero()) {
    throw Error(Kind::usage, "{} holds no zeros, which a mask would leave: use a type that does, such as Q4_0 or Q6_K",
                describe(last->plan()));
  }
  if (effort == Effort::plan) {
    return {.encoding = last->plan(), .solution = std::nullopt};
  }
  while (true) {
    std::vector<std::unique_ptr<Constraint>> parts;
    for (const Projection* mask : masks) {
      parts.push_back(mask->mask(weight));
    }
    last->allocate();
    Composition composition(std::move(parts), *last);
    const auto rows = static_cast<double>(weight->rows());
    const Solution solution =
        solve_nearest(*weight, composition, [&](int64_t done) { progress(static_cast<double>(done) / rows); });
    auto widened = last->widened();
    if (widened == nullptr) {
      return {.encoding = last->finish(), .solution = solution};
    }
    last = std::move(widened);
  }
}

}  // namespace terse::passes
