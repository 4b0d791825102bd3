#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse::calibration {

/// The value below or at which this share of `values` lies (nearest rank). `values` are sorted in place; at least one.
double quantile(std::span<double> values, double share);

double mean(std::span<const double> values);

/// The mean of the lowest 1 % of `values`, at least of one. Sorts.
double worst_percent(std::span<double> values);

/// The cosine of the angle between two vectors of equal length; 1 if both are zero, 0 if one is.
double cosine(std::span<const float> a, std::span<const float> b);

/// Energies of a signal and of the error made on it, summed as they come.
struct SignalNoise {
  double signal = 0, noise = 0;

  void add(std::span<const float> reference, std::span<const float> tested);
  void add(const SignalNoise& other) {
    signal += other.signal;
    noise += other.noise;
  }
  /// 10 log10(signal / noise), at most kMaxSnrDb: what is equal to the last bit has that. NaN if a number is.
  double db() const;
};

/// Beyond what f32 can tell apart; a finite number, so that reports and gates need no infinity.
inline constexpr double kMaxSnrDb = 200;

}  // namespace terse::calibration
