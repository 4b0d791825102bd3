#include "formats/gguf/rope_metadata.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>

#include "formats/architectures/rotary.h"
#include "formats/error.h"

namespace terse::gguf {
namespace {

constexpr float kTolerance = 1e-5F;  // of factors that were computed in other steps, relative

/// What a scaling divides the frequencies of pairs by.
std::vector<float> frequency_factors(RopeConfig rope, int64_t head_size) {
  const std::vector<float> scaled = architectures::rotary_traits(rope, head_size).frequencies;
  rope.type = "default";
  std::vector<float> factors = architectures::rotary_traits(rope, head_size).frequencies;
  std::ranges::transform(factors, scaled, factors.begin(), std::divides<>());
  return factors;
}

bool are_close(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, [](float x, float y) { return std::abs(x - y) <= kTolerance * std::abs(y); });
}

/// What Llama 3.1, 3.2 and 3.3 have; they differ by the factor alone.
RopeConfig published_llama3(double theta, double factor) {
  return {.type = "llama3",
          .where = "rope_freqs",
          .theta = theta,
          .factor = factor,
          .low_frequency_factor = 1,
          .high_frequency_factor = 4,
          .original_positions = 8192};
}

/// To five digits: the entries of the tensor are rounded too.
double rounded(double number) { return std::stod(fmt::format("{:.5g}", number)); }

/// Between the frequencies that are divided by the whole factor and those that stay, the share that is kept is linear
/// in the frequency: two pairs of that range give the line, and with low_freq_factor = 1 its parameters.
std::optional<RopeConfig> fit_llama3(double theta, std::span<const float> factors) {
  RopeConfig rope = published_llama3(theta, *std::ranges::max_element(factors));
  const auto pairs = static_cast<double>(factors.size());
  std::vector<std::pair<double, double>> points;  // waves for a position, share
  for (size_t i = 0; i < factors.size(); ++i) {
    const double share = (1 / static_cast<double>(factors[i]) - 1 / rope.factor) / (1 - 1 / rope.factor);
    if (share > 0.001 && share < 0.999) {
      points.emplace_back(std::pow(theta, -static_cast<double>(i) / pairs) / (2 * std::numbers::pi), share);
    }
  }
  if (points.size() < 2) {
    return std::nullopt;
  }
  const auto [w0, s0] = points.front();
  const auto [w1, s1] = points.back();
  const double slope = (s1 - s0) / (w1 - w0), start = s0 - slope * w0;
  rope.high_frequency_factor = rounded(1 - 1 / start);
  rope.original_positions = std::llround(slope * (rope.high_frequency_factor - 1));
  return start < 0 && rope.original_positions > 0 ? std::optional(rope) : std::nullopt;
}

nlohmann::ordered_json llama3_json(const RopeConfig& rope) {
  return {{"rope_type", rope.type},
          {"factor", rope.factor},
          {"low_freq_factor", rope.low_frequency_factor},
          {"high_freq_factor", rope.high_frequency_factor},
          {"original_max_position_embeddings", rope.original_positions}};
}

nlohmann::ordered_json read_factors(const FileTensor& tensor, double theta, int64_t head_size) {
  const Tensor numbers = to_f32(tensor.data).aligned();
  const auto factors = numbers.values<float>();
  const auto fits = [&](const RopeConfig& rope) { return are_close(factors, frequency_factors(rope, head_size)); };
  if (!factors.empty() && std::ssize(factors) == head_size / 2) {
    if (const RopeConfig rope = published_llama3(theta, *std::ranges::max_element(factors)); fits(rope)) {
      return llama3_json(rope);
    }
    if (const auto rope = fit_llama3(theta, factors); rope && fits(*rope)) {
      return llama3_json(*rope);
    }
  }
  throw Error(Kind::unsupported,
              "tensor {}: {} factors of rotary frequencies that are not Llama 3's, which alone are known",
              kRotaryFactors, factors.size());
}

}  // namespace

void write_rope(const RopeConfig& rope, int64_t head_size, ArchitectureKeys& keys) {
  keys.set("rope.dimension_count",
           static_cast<uint32_t>(static_cast<double>(head_size) * std::min(rope.rotated_share, 1.0)));
  keys.set("rope.freq_base", static_cast<float>(rope.theta));
  if (rope.type == "linear") {
    keys.set("rope.scaling.type", std::string("linear"));
    keys.set("rope.scaling.factor", static_cast<float>(rope.factor));
  } else if (rope.type != "default" && rope.type != "llama3") {
    throw Error(Kind::unsupported, "{}: rotary positions scaled by '{}', expected default, linear or llama3 for gguf",
                rope.where, rope.type);
  }
}

std::vector<DerivedTensor> rope_tensors(const RopeConfig& rope, int64_t head_size) {
  if (rope.type != "llama3") {
    return {};
  }
  return {{.name = std::string(kRotaryFactors), .values = frequency_factors(rope, head_size)}};
}

void read_rope(const File& file, const ArchitectureKeys& keys, int64_t head_size, nlohmann::ordered_json& config) {
  const double theta = keys.find_number("rope.freq_base").value_or(10000);
  const int64_t dimensions = keys.find_integer("rope.dimension_count").value_or(head_size);
  const std::string_view type = keys.find_string("rope.scaling.type").value_or("none");
  config["rope_theta"] = theta;
  if (dimensions != head_size && head_size > 0) {
    config["partial_rotary_factor"] = static_cast<double>(dimensions) / static_cast<double>(head_size);
  }
  if (const FileTensor* factors = file.find(kRotaryFactors)) {
    config["rope_scaling"] = read_factors(*factors, theta, head_size);
  } else if (type == "linear") {
    config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", keys.find_number("rope.scaling.factor").value_or(1)}};
  } else if (type != "none") {
    throw Error(Kind::unsupported, "metadata '{}' is '{}', expected none or linear", keys.full("rope.scaling.type"),
                type);
  }
}

}  // namespace terse::gguf
