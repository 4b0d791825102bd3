#include "calibration/calibration_check.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr size_t kFewestSamples = 8;  // fewer say more about themselves than about the model

bool are_equal(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::ranges::equal(a.bytes(), b.bytes());
}

bool are_equal(const Sample& a, const Sample& b) {
  return std::ranges::equal(
      a, b, [](const auto& x, const auto& y) { return x.first == y.first && are_equal(x.second, y.second); });
}

/// How many different samples there are; at most kFewestSamples.
size_t count_different(const std::vector<Sample>& samples) {
  std::vector<const Sample*> different;
  for (const Sample& sample : samples) {
    if (std::ranges::none_of(different, [&](const Sample* other) { return are_equal(sample, *other); })) {
      different.push_back(&sample);
    }
    if (different.size() == kFewestSamples) {
      break;
    }
  }
  return different.size();
}

bool has_tokens(const Sample& sample) {
  const auto mask = sample.find("attention_mask");
  if (mask == sample.end() || !is_integer(mask->second.dtype())) {
    return true;
  }
  return std::ranges::any_of(to_int64s(mask->second), [](int64_t is_token) { return is_token != 0; });
}

bool holds_nan(const Tensor& tensor) {
  return is_float(tensor.dtype()) &&
         std::ranges::any_of(to_f32(tensor).values<float>(), [](float x) { return std::isnan(x); });
}

void check_numbers(const std::vector<Sample>& samples) {
  for (size_t i = 0; i < samples.size(); ++i) {
    for (const auto& [name, tensor] : samples[i]) {
      if (holds_nan(tensor)) {
        throw Error(Kind::input, "sample {}: input '{}' holds NaN", i, name);
      }
    }
  }
}

}  // namespace

void check_calibration(const Dataset& data) {
  const std::vector<Sample>& samples = data.samples;
  if (samples.size() < kFewestSamples) {
    throw Error(Kind::input, "{} samples, expected at least {}", samples.size(), kFewestSamples);
  }
  if (const size_t different = count_different(samples); different < kFewestSamples) {
    throw Error(Kind::input, "{} samples, of which only {} {} different, expected at least {} different ones",
                samples.size(), different, different == 1 ? "is" : "are", kFewestSamples);
  }
  if (std::ranges::none_of(samples, has_tokens)) {
    throw Error(Kind::input, "attention_mask is 0 everywhere, expected tokens that are no padding");
  }
  check_numbers(samples);
}

}  // namespace terse::calibration
