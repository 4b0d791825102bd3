#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "calibration/barriers.h"
#include "calibration/dataset.h"
#include "calibration/drift.h"
#include "calibration/gram.h"

namespace terse::calibration {

/// What is summed at barriers.
enum class Sums {
  products,  ///< X^T X, tokens weighted (token_weights.h)
  squares,   ///< of each column; tokens count alike, as in llama.cpp's importance matrices
  both,
};

/// What the samples look like in front of some linears.
struct Statistics {
  Gram solving;   ///< of the samples that errors are compensated on
  Gram held_out;  ///< of every eighth sample: what solutions are judged by
  /// Of the same samples: how far earlier changes have moved them. Empty before any change.
  Drift solving_drift = Drift(0), held_out_drift = Drift(0);
  std::vector<double> squares = {};  ///< of all samples; without Sums::products the Grams are empty instead
  int64_t rows = 0;                  ///< that samples have; not those that experts are filled up with
  /// What a report is to say of them; may be empty.
  std::string note = {};
};

/// What becomes of an expert's statistics that were made of fewer rows than it has columns.
enum class ScarceRows { fill_up, leave };

/// Takes a graph in topological order and streams all samples from barrier to barrier; at each, once it is complete for
/// all of them, the linears behind it may be given other weights, which later steps then compute with. Padding
/// (attention_mask 0) is left out of the statistics.
///
/// Between barriers only live values are kept: matrices of floats as bf16. Products and statistics round their factors
/// to bf16 too where fast_precision() says so, sums are f32 (measured on 4-bit SmolLM2-135M, calibrated on 51,200
/// tokens: KL divergence 0.0963 nats in f32, 0.0952 so, 0.098 and 0.099 with either alone: no difference). Values that
/// no weight has taken part in (masks, rotary tables) are computed once for all samples that have them in common.
///
/// An expert's linears see the rows that were routed to it alone, weighted by their shares (see RoutedRows). An expert
/// with fewer rows than columns gets what is missing from all tokens: X^T X of what its input would be if it were given
/// every one, counted as so many rows as are missing, with the average share. It is not solved for what a handful of
/// tokens happened to show, and `note` says so.
///
/// From the first replaced weight on the samples go through the original model as well, for what linears read there:
/// twice the time. They wait for the next barrier where least of them is live, not at a barrier (a decoder's: behind a
/// residual sum, one matrix a sample), so they take half the memory of the others.
/// Memory:  the live values of all samples, one layer's weights and its statistics.
/// Results: the same bits on any number of threads.
class Walk {
 public:
  /// Barriers are those of `weights`. `samples` must outlive the walk. Errors: those of Plan.
  Walk(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
       ScarceRows scarce = ScarceRows::fill_up, Uses uses = Uses::only, Sums sums = Sums::products);
  ~Walk();
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  /// In the order in which they are reached.
  const std::vector<Barrier>& barriers() const;

  /// Gives a weight that no step has used yet another encoding.
  void replace(ValueId weight, EncodingPtr encoding);

  /// Of these weights' inputs nobody asks: barriers of such weights alone are visited with statistics of no columns,
  /// which saves most of a walk's time.
  void skip_statistics(const std::vector<ValueId>& weights);

  /// Once. Errors: those of the operators; input, with the sample and the node, weight or graph input that it comes
  /// from, if a barrier's value is not finite.
  /// `report` is told what `done` says now and then; may be empty.
  void run(const std::function<void(const Barrier& barrier, const Statistics& statistics)>& visit,
           const std::function<void(double done)>& report = {});

  double done() const;  ///< the part of the steps that all samples have behind them

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace terse::calibration
