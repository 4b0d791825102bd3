#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "formats/model.h"

namespace terse::calibration {

class Plan;

/// One complete set of graph inputs by name.
using Sample = std::map<std::string, Tensor, std::less<>>;

/// What becomes of a weight after a product.
enum class Residency {
  keep,    ///< decoded once, kept for the next sample
  stream,  ///< decoded again for each product, in pieces: little memory, for a sample or two
};

struct ExecutorOptions {
  std::vector<std::string> outputs;  ///< names of the values to compute, outputs or inner ones; empty: all graph
                                     ///< outputs. Nodes that only others need are not run.
  Residency residency = Residency::keep;
};

/// Runs a model's graph: turns it once into steps (operators upgraded to their newest form, weights packed for the
/// products, values freed after their last use), then runs samples through them. What it is not: a place for batching
/// or for shapes fixed in advance; every sample brings its own.
class Executor {
 public:
  /// Error unsupported if a needed node has an operator that no row of `operators()` covers; it names operator, domain
  /// and node.
  explicit Executor(const Model& model, const ExecutorOptions& options = {});
  ~Executor();
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;

  const std::vector<std::string>& output_names() const { return output_names_; }

  /// The outputs, in the order of output_names. Any number of threads may run samples at once; the result does not
  /// depend on how many. Errors: input if an input is missing (lists all), unknown, or of another type or shape than
  /// the graph says; input or unsupported, naming the node, if an operator cannot do what is asked.
  std::vector<Tensor> run(const Sample& sample) const;

 private:
  std::unique_ptr<const Plan> plan_;
  std::vector<std::string> output_names_;
};

/// Checks a sample as Executor::run does and puts it into a plan's frame: for those who run a plan's steps themselves.
void load_sample(const Plan& plan, const Sample& sample, std::vector<Tensor>& frame);

}  // namespace terse::calibration
