#pragma once

#include <vector>

#include "calibration/kept_values.h"
#include "calibration/plan.h"
#include "calibration/shared_values.h"

namespace terse::calibration {

/// Samples on their way through a plan, all of them before the same step. Between steps only live values are kept, as
/// bf16 (kept_values.h). Different samples by different threads at once.
class Stream {
 public:
  Stream(Plan& plan, const std::vector<Sample>& samples, const SharedValues& shared)
      : plan_(plan), samples_(samples), shared_(shared), kept_(samples.size()) {}

  /// A sample that has come to a step: all values, and the ids of those that are still needed.
  struct Arrival {
    Frame frame;
    std::vector<ValueId> live;
  };

  /// Runs one sample from where it waits up to `step`, where `keep` is to leave it.
  Arrival run(size_t sample, size_t step) const;
  /// Takes it on from one step to another.
  void go_on(Arrival& arrival, size_t from, size_t step) const;
  /// The step from `first` to `last` before which this sample's values take the least room; of equal ones the first.
  /// Cost: runs it from where it waits to `last`.
  size_t find_narrowest(size_t sample, size_t first, size_t last) const;
  /// The sample where it was left.
  Arrival kept(size_t sample) const;
  void keep(size_t sample, const Arrival& arrival) { kept_[sample].store(arrival.live, arrival.frame); }

  /// After all samples were run and kept: they wait before `step`, and weights and tables behind it are decoded no
  /// more, nor do they lie in memory if they are a file's.
  void arrive(size_t step);

  size_t next() const { return next_; }  ///< the step to go on with

  /// Puts the samples where those of another stream wait, whose graph is the same.
  void join(const Stream& other);

 private:
  Plan& plan_;
  const std::vector<Sample>& samples_;
  const SharedValues& shared_;
  std::vector<KeptValues> kept_;  ///< by sample
  size_t next_ = 0;
};

}  // namespace terse::calibration
