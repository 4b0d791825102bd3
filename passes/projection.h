#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "passes/constraints/constraint.h"
#include "passes/solvers/layer.h"

namespace terse::passes {

/// A pass of Stage::projection with its options: makes the constraint for each weight that it selects.
class Projection {
 public:
  /// What its constraints say of a weight. Of several passes over one weight every mask holds; of the others the last
  /// of the highest part gives the encoding.
  enum class Part {
    mask,   ///< where zeros are
    type,   ///< a float type for what has no codes
    codes,  ///< n-bit codes, by the encoding's own means
  };

  virtual ~Projection() = default;
  virtual Part part() const = 0;

  /// Sees all weights that the pass has selected, before any of them is solved. Not called when planning.
  virtual void prepare(std::span<const EncodingPtr> /*weights*/) {}

  /// Why this weight is left as it is; empty: it is not.
  virtual std::string reason_to_skip(const Encoding& weight) const = 0;

  /// What the report says of a weight that gets something else than was asked for; else empty.
  virtual std::string note(const Encoding& /*weight*/) const { return ""; }

  /// Part::mask. Beyond Knowledge::weights: the mask may choose by importance, and the numbers it is to choose from may
  /// have moved.
  virtual std::unique_ptr<Constraint> mask(const EncodingPtr& weight, Knowledge knowledge) const;

  /// Part::type and Part::codes.
  virtual std::unique_ptr<EncodedConstraint> encode(const Encoding& weight) const;
};

struct Projected {
  Encoding encoding;
  std::optional<Solution> solution;    ///< absent if it was only planned
  std::string_view solver;             ///< which one found it
  std::optional<double> output_error;  ///< tr(E H E^T) / tr(W H W^T) over the inputs that judge, W being what was to
                                       ///< be solved (see LayerInputs::correct); absent without data
  std::string note = {};               ///< why it was not solved as was asked for; else empty
};

enum class Effort { plan, solve };

/// One weight through the masks and the encoder that have selected it; without an encoder it stays dense in its type.
/// By the solver of that name; "auto": without `inputs` (null) by rounding to the nearest, else by the one, of all
/// that have what they need, whose outputs are nearest to the original's. `progress` is told the part that is done.
/// Solvers that need more of the inputs than can be had of their statistics give way to "weighted", and `note` says so.
/// Error usage if there are masks and the encoder's numbers do not hold zero.
Projected project(const EncodingPtr& weight, std::span<const Projection* const> masks, const Projection* encoder,
                  Effort effort, std::string_view solver, LayerInputs* inputs,
                  const std::function<void(double)>& progress);

}  // namespace terse::passes
