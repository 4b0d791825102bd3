#include "passes/search/sensitivities.h"

#include <algorithm>
#include <cmath>

#include "calibration/parallel.h"
#include "calibration/token_rows.h"
#include "passes/search/rounding_error.h"

namespace terse::passes {
namespace {

constexpr double kProbingError = 0.01;  // relative and squared: about that of 4 bits
constexpr double kStrongest = 4;
constexpr int64_t kSampledRows = 64;
constexpr int64_t kRows = 64;

/// How far, in factors, an error is from that of a good probe.
double distance(double error) { return std::fabs(std::log(std::max(error, 1e-12) / kProbingError)); }

}  // namespace

std::optional<Probing> choose_probing(const EncodingPtr& weight, const std::vector<EncodingOption>& options,
                                      std::string_view solver, LayerInputs* inputs) {
  const EncodingPtr rows = sample_rows(*weight, kSampledRows);
  std::optional<PassCall> best;
  double least = 0;
  for (const EncodingOption& option : options) {
    if (!option.call) {
      continue;
    }
    const double found = distance(round_weight(rows, *option.call, "nearest", nullptr).error);
    if (!best || found < least) {
      best = option.call;
      least = found;
    }
  }
  if (!best) {
    return std::nullopt;
  }
  Rounded rounded = round_weight(weight, *best, solver, inputs);
  if (rounded.error <= 0) {
    return std::nullopt;
  }
  return Probing{.rounded = std::make_shared<const Encoding>(std::move(rounded.encoding)),
                 .error = rounded.error,
                 .strength = std::clamp(std::sqrt(kProbingError / rounded.error), 1 / kStrongest, kStrongest)};
}

EncodingPtr disturb(const EncodingPtr& weight, const Probing& probing) {
  Tensor numbers = Tensor::uninitialized(DType::f32, weight->shape);
  const auto all = numbers.mutable_values<float>();
  const auto strength = static_cast<float>(probing.strength);
  const int64_t columns = weight->columns();
  calibration::parallel_ranges(weight->rows(), kRows, [&](int64_t begin, int64_t end) {
    const auto disturbed =
        all.subspan(static_cast<size_t>(begin * columns), static_cast<size_t>((end - begin) * columns));
    std::vector<float> original(disturbed.size());
    decode_rows(*weight, begin, end - begin, original);
    decode_rows(*probing.rounded, begin, end - begin, disturbed);
    std::ranges::transform(original, disturbed, disturbed.begin(),
                           [&](float w, float q) { return w + strength * (q - w); });
  });
  release_pages(*weight);
  return make_dense(std::move(numbers));
}

std::vector<calibration::Sample> probing_samples(const std::vector<calibration::Sample>& samples, int64_t tokens) {
  std::vector<calibration::Sample> chosen;
  int64_t taken = 0;
  for (const calibration::Sample& sample : samples) {
    if (taken >= tokens) {
      break;
    }
    const auto* ids = calibration::find_token_ids(sample);
    taken += ids == nullptr ? 1 : ids->second.count();
    chosen.push_back(sample);
  }
  return chosen;
}

}  // namespace terse::passes
