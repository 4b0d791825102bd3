#include "calibration/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace terse::calibration {

double quantile(std::span<double> values, double share) {
  std::ranges::sort(values);
  const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[static_cast<size_t>(std::clamp<int64_t>(rank - 1, 0, std::ssize(values) - 1))];
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double worst_percent(std::span<double> values) {
  std::ranges::sort(values);
  return mean(values.first(std::max<size_t>(values.size() / 100, 1)));
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (aa == 0 || bb == 0) {
    return aa == bb ? 1 : 0;
  }
  return ab / std::sqrt(aa * bb);
}

void SignalNoise::add(std::span<const float> reference, std::span<const float> tested) {
  for (size_t i = 0; i < reference.size(); ++i) {
    const double x = reference[i], error = x - static_cast<double>(tested[i]);
    signal += x * x;
    noise += x == static_cast<double>(tested[i]) ? 0 : error * error;  // equal infinities have no difference
  }
}

double SignalNoise::db() const {
  if (noise == 0) {
    return kMaxSnrDb;
  }
  const double db = signal == 0 ? -kMaxSnrDb : 10 * std::log10(signal / noise);
  return std::isnan(db) ? db : std::clamp(db, -kMaxSnrDb, kMaxSnrDb);
}

}  // namespace terse::calibration
