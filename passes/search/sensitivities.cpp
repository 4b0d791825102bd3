#include "passes/search/sensitivities.h"

#include <algorithm>
#include <cmath>

#include "calibration/parallel.h"
#include "calibration/token_rows.h"
#include "passes/projection.h"
#include "passes/search/rounding_error.h"

namespace terse::passes {
namespace {

constexpr double kProbingError = 0.01;  // relative and squared: about that of 4 bits
constexpr double kStrongest = 4;
constexpr int64_t kProbingTokens = 2048;
constexpr int64_t kSampledRows = 64;
constexpr int64_t kRows = 64;

Projected round_to_nearest(const EncodingPtr& weight, const PassCall& call) {
  const PassRow& row = get_pass(call.name);
  const auto projection = row.project(Arguments(row, call));
  return project(weight, {}, projection.get(), Effort::solve, "nearest", nullptr, [](double) {});
}

/// How far, in factors, an error is from that of a good probe.
double distance(double error) { return std::fabs(std::log(std::max(error, 1e-12) / kProbingError)); }

double error_of(const EncodingPtr& weight, const Projected& rounded, const LayerInputs* inputs) {
  if (inputs != nullptr) {
    return inputs->judge(*weight).relative(rounded.encoding);
  }
  return rounded.solution->signal > 0 ? rounded.solution->noise / rounded.solution->signal : 0;
}

}  // namespace

std::optional<Probing> choose_probing(const EncodingPtr& weight, const std::vector<EncodingOption>& options,
                                      LayerInputs* inputs) {
  const EncodingPtr rows = sample_rows(*weight, kSampledRows);
  std::optional<PassCall> best;
  double least = 0;
  for (const EncodingOption& option : options) {
    if (!option.call) {
      continue;
    }
    const double found = distance(rounding_error(rows, *option.call, "nearest", nullptr));
    if (!best || found < least) {
      best = option.call;
      least = found;
    }
  }
  if (!best) {
    return std::nullopt;
  }
  const double error = error_of(weight, round_to_nearest(weight, *best), inputs);
  if (error <= 0) {
    return std::nullopt;
  }
  return Probing{.call = *std::move(best),
                 .error = error,
                 .strength = std::clamp(std::sqrt(kProbingError / error), 1 / kStrongest, kStrongest)};
}

EncodingPtr disturb(const EncodingPtr& weight, const Probing& probing) {
  const Encoding rounded = round_to_nearest(weight, probing.call).encoding;
  Tensor numbers = Tensor::uninitialized(DType::f32, weight->shape);
  const auto all = numbers.mutable_values<float>();
  const auto strength = static_cast<float>(probing.strength);
  const int64_t columns = weight->columns();
  calibration::parallel_ranges(weight->rows(), kRows, [&](int64_t begin, int64_t end) {
    const auto disturbed =
        all.subspan(static_cast<size_t>(begin * columns), static_cast<size_t>((end - begin) * columns));
    std::vector<float> original(disturbed.size());
    decode_rows(*weight, begin, end - begin, original);
    decode_rows(rounded, begin, end - begin, disturbed);
    std::ranges::transform(original, disturbed, disturbed.begin(),
                           [&](float w, float q) { return w + strength * (q - w); });
  });
  release_pages(*weight);
  return make_dense(std::move(numbers));
}

std::vector<calibration::Sample> probing_samples(const std::vector<calibration::Sample>& samples) {
  std::vector<calibration::Sample> chosen;
  int64_t tokens = 0;
  for (const calibration::Sample& sample : samples) {
    if (tokens >= kProbingTokens) {
      break;
    }
    const auto* ids = calibration::find_token_ids(sample);
    tokens += ids == nullptr ? 1 : ids->second.count();
    chosen.push_back(sample);
  }
  return chosen;
}

}  // namespace terse::passes
