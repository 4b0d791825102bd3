#include "calibration/sentence_vectors.h"

#include <algorithm>
#include <cmath>

namespace terse::calibration {
namespace {

/// The sum of rows, each times its weight.
template <typename Weight>
std::vector<float> weighted_sum(const Rows& rows, int64_t sequence, std::span<const int64_t> tokens,
                                const Weight& weight) {
  std::vector<double> sums(static_cast<size_t>(rows.width()));
  for (size_t n = 0; n < tokens.size(); ++n) {
    const auto row = rows.at(sequence, tokens[n]);
    for (size_t i = 0; i < row.size(); ++i) {
      sums[i] += weight(n) * static_cast<double>(row[i]);
    }
  }
  return {sums.begin(), sums.end()};
}

std::vector<float> maximum(const Rows& rows, int64_t sequence, std::span<const int64_t> tokens) {
  const auto first = rows.at(sequence, tokens.front());
  std::vector<float> result(first.begin(), first.end());
  for (const int64_t token : tokens) {
    std::ranges::transform(result, rows.at(sequence, token), result.begin(),
                           [](float a, float b) { return std::max(a, b); });
  }
  return result;
}

std::vector<float> copy_of(std::span<const float> row) { return {row.begin(), row.end()}; }

std::vector<float> pool(const Rows& rows, int64_t sequence, std::span<const int64_t> tokens, Pooling mode) {
  const auto count = static_cast<double>(tokens.size());
  switch (mode) {
    case Pooling::mean:
      return weighted_sum(rows, sequence, tokens, [&](size_t) { return 1 / count; });
    case Pooling::mean_sqrt_length:
      return weighted_sum(rows, sequence, tokens, [&](size_t) { return 1 / std::sqrt(count); });
    case Pooling::weighted_mean:
      return weighted_sum(rows, sequence, tokens,
                          [&](size_t n) { return 2 * static_cast<double>(n + 1) / (count * (count + 1)); });
    case Pooling::max:
      return maximum(rows, sequence, tokens);
    case Pooling::first:
      return copy_of(rows.at(sequence, tokens.front()));
    case Pooling::last:
      return copy_of(rows.at(sequence, tokens.back()));
  }
  return {};
}

}  // namespace

std::vector<float> sentence_vector(const Rows& rows, int64_t sequence, const TextPositions& text,
                                   std::span<const Pooling> modes) {
  const auto tokens = text.of(sequence);
  if (tokens.empty()) {
    return std::vector<float>(static_cast<size_t>(rows.width()) * modes.size());
  }
  std::vector<float> vector;
  for (const Pooling mode : modes) {
    const auto pooled = pool(rows, sequence, tokens, mode);
    vector.insert(vector.end(), pooled.begin(), pooled.end());
  }
  return vector;
}

}  // namespace terse::calibration
