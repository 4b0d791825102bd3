#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/json_fields.h"

namespace terse {

/// What config.json says of rotary positions: in `rope_parameters` (transformers 5), or in `rope_theta`, `rope_scaling`
/// and `partial_rotary_factor`.
struct RopeConfig {
  std::string type = "default";  ///< of the scaling: longrope also where it is called su
  std::string where;             ///< the key that says so, for errors
  double theta = 10000;
  double rotated_share = 1;  ///< of a head's dimensions
  double factor = 1;         ///< how much longer sequences are than those that were trained on
  double low_frequency_factor = 1, high_frequency_factor = 4;  ///< llama3 alone
  int64_t original_positions = 0;                              ///< that were trained on: llama3, yarn, longrope
  int64_t positions = 0;                                       ///< up to which dynamic does not scale
  double attention_factor = 1;                                 ///< of sines and cosines: yarn, longrope
  double fast_rotations = 32, slow_rotations = 1;              ///< yarn alone: in the sequences that were trained on
  bool is_range_whole = true;                                  ///< yarn alone: rounds the range between the two
  std::vector<float> short_factors, long_factors;              ///< longrope alone: what divides each frequency
};

/// What a configuration that leaves a key out means.
struct RopeDefaults {
  double theta = 10000;
  double rotated_share = 1;
};

/// Errors: input, naming key, found and expected.
RopeConfig read_rope(const JsonField& config, const RopeDefaults& defaults = {});

}  // namespace terse
