#pragma once

#include <cstdint>
#include <vector>

#include "calibration/executor.h"

namespace terse::calibration {

/// A token that a model is asked about, and what is right.
struct Place {
  int64_t sequence = 0, token = 0;
  int64_t label = 0;
};

/// A sample as a model is to see it. Without places all of its rows count, and nothing is known to be right.
struct Probe {
  Sample sample;
  std::vector<Place> places;
};

/// Of each text's tokens, but for the first and last (in most texts special ones), one in so many is changed at a time:
/// the share that masked models are trained on.
inline constexpr int64_t kOneTokenIn = 7;

/// For masked language models: kOneTokenIn probes, each with another seventh of the tokens masked, so that each is
/// masked once. Labels are the tokens. Padding stays as it is.
/// Source:  Salazar et al. 2020, pseudo-log-likelihood, arXiv:1910.14659; there one token is masked at a time, which
/// takes
///          as many runs as a text has tokens.
std::vector<Probe> mask_tokens(const Sample& sample, int64_t mask_token);

/// For models that tell replaced tokens: a seventh of the tokens becomes another one of the same text, half the text
/// away. Labels are 1 for what is not the token that was there, else 0.
Probe replace_tokens(const Sample& sample);

}  // namespace terse::calibration
