#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calibration/constants.h"
#include "calibration/ops/op.h"
#include "formats/model.h"

namespace terse::calibration {

/// The values of one sample that live now, by ValueId. Subgraphs use the same frame: a value's id is unique in a graph.
using Frame = std::vector<Tensor>;

struct Step;

/// A block as it is run.
struct StepList {
  std::vector<Step> steps;
  std::vector<ValueId> inputs, outputs;
};

/// One node as it is run.
struct Step {
  const Node* node = nullptr;
  OpFunction run = nullptr;          ///< null for control flow: then `blocks` has the subgraphs
  ValueId packed_weight = kNoValue;  ///< the right operand that is given packed
  PackedMatrix::Operand packed_as = PackedMatrix::Operand::plain;
  bool reads_table = false;         ///< input 0 is a table that is decoded row by row
  std::vector<ValueId> last_reads;  ///< values of this block that nobody reads after this step
  std::vector<StepList> blocks;     ///< If: then_branch, else_branch; Loop: body
};

/// A graph turned into steps, once: operators in their newest form, only what the wanted outputs need. Steps may be run
/// one by one on a frame (the executor runs all, a walk stops in between). Ids of values are those of the model's
/// graph. Any number of threads may run steps, each on its own frame; `constants()` may be changed only while none
/// does.
class Plan {
 public:
  /// `outputs`: names of values to compute; empty: all graph outputs. `precision`: of products by weights that are
  /// kept, and within Attention. Error usage for an unknown one; unsupported if a needed node has an operator that no
  /// row of `operators()` covers.
  Plan(const Model& model, const std::vector<std::string>& outputs, Residency residency = Residency::keep,
       Precision precision = Precision::f32);

  const Graph& graph() const { return graph_; }
  const std::vector<Step>& steps() const { return main_.steps; }
  const std::vector<ValueId>& outputs() const { return main_.outputs; }
  Constants& constants() { return constants_; }
  const Constants& constants() const { return constants_; }

  /// The graph inputs that the steps read and that have no default.
  const std::vector<ValueId>& needed_inputs() const { return needed_inputs_; }

  Frame make_frame() const { return Frame(graph_.values.size()); }

  /// Runs one step of `steps()`: reads and writes the frame, and empties values that nobody reads any more.
  void run(const Step& step, Frame& frame) const;

  /// A value of the frame, or a constant.
  const Tensor& read(ValueId id, const Frame& frame) const;

 private:
  void run_operator(const Step& step, Frame& frame) const;
  void run_if(const Step& step, Frame& frame) const;
  void run_loop(const Step& step, Frame& frame) const;
  void run_block(const StepList& block, Frame& frame) const;

  Graph graph_;
  Constants constants_;
  Precision precision_;
  StepList main_;
  std::vector<ValueId> needed_inputs_;
};

}  // namespace terse::calibration
