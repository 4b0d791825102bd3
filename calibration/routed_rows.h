#pragma once

#include <span>
#include <string>

#include "calibration/barriers.h"
#include "calibration/routing.h"

namespace terse::calibration {

/// Which rows of a barrier's value count, and how much each.
struct CountedRows {
  std::vector<int64_t> rows;
  std::vector<float> weights;
};

/// What a walk needs to know of barriers within experts: their rows are those of some tokens only, of a number and
/// order that only the run tells.
class RoutedRows {
 public:
  RoutedRows(const Graph& graph, const std::vector<ValueId>& weights) : routings_(find_routings(graph, weights)) {}

  /// Values that a plan must not forget before `is_done_with` says so.
  std::vector<std::string> kept_values(const Graph& graph) const;

  /// Before anything below.
  void set_barriers(const Plan& plan, const std::vector<Barrier>& barriers);

  /// Null: the barrier's rows are all tokens.
  const Routing* find(const Barrier& barrier) const;

  /// True of a kept value that neither the barriers from this step on nor other steps read.
  bool is_done_with(ValueId value, size_t step) const;

  /// The rows of tokens whose weight is not 0. Each counts as its token does, times the square of its share: by so much
  /// its error enters the squared error of the layer's output.
  /// `token_weights`: an entry for each of routing.all's rows. Error input for indices of no token.
  static CountedRows counted(const Routing& routing, const Plan& plan, const Frame& frame,
                             std::span<const float> token_weights);

  /// The steps in front of the barrier that compute with the rows, or with what comes of them.
  static std::vector<size_t> steps_inside(const Routing& routing, const Barrier& barrier, const Plan& plan);

  /// What the barrier's value would be if all tokens had been routed to the expert; a row for each. Changes the frame,
  /// which must hold what stood there when the barrier was reached.
  static Tensor for_all_tokens(const Routing& routing, const Barrier& barrier, std::span<const size_t> steps_inside,
                               const Plan& plan, Frame& frame);

 private:
  std::map<ValueId, Routing> routings_;  ///< by weight
  std::map<ValueId, size_t> last_use_;   ///< of kept values: the last step that reads them, as a barrier or a node
};

}  // namespace terse::calibration
