#pragma once

#include <map>
#include <string>
#include <vector>

#include "calibration/plan.h"

namespace terse::calibration {

/// The values of a plan that follow from the shapes of a sample's inputs and from inputs other than tokens: masks,
/// positions, rotary tables. They are the same for all samples that agree in those, and computed once for them.
class SharedValues {
 public:
  SharedValues(const Plan& plan, const std::vector<Sample>& samples);

  bool is_shared(size_t step) const { return is_shared_[step]; }

  /// Puts the shared values that other steps read into the frame of one of the samples.
  void load(const Sample& sample, Frame& frame) const;

 private:
  using Values = std::vector<std::pair<ValueId, Tensor>>;
  void classify();
  std::string key_of(const Sample& sample) const;
  Values compute(const Sample& sample) const;

  const Plan& plan_;
  std::vector<bool> is_shared_;          ///< by step
  std::vector<bool> is_read_;            ///< by value: by a step that is not shared
  std::vector<std::string> own_inputs_;  ///< whose contents differ from sample to sample: tokens
  std::map<std::string, Values> known_;
};

}  // namespace terse::calibration
