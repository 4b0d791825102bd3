#include "formats/rope_config.h"

#include <array>
#include <cmath>

#include "formats/config.h"
#include "formats/error.h"

namespace terse {
namespace {

constexpr std::string_view kOriginalPositions = "original_max_position_embeddings";
constexpr std::string_view kPositions = "max_position_embeddings";

/// The one of the two that has the key, else the second.
const JsonField& holder(const JsonField& first, const JsonField& second, std::string_view key) {
  return first.find(key) ? first : second;
}

/// Transformers 4 called it `type` first; Phi-3's files call longrope su, and for a while yarn.
std::string scaling_type(const JsonField& scaling) {
  const std::string type = scaling.text_or("rope_type", scaling.text_or("type", "default"));
  const bool is_longrope = type == "su" || (type == "yarn" && scaling.find("short_factor"));
  return is_longrope ? "longrope" : type;
}

std::vector<float> read_factors(const JsonField& list) {
  std::vector<float> factors;
  for (size_t i = 0; i < list.array_size(); ++i) {
    const JsonField field = list.at(i);
    const double factor = field.number();
    const bool is_factor = factor > 0 && factor <= static_cast<double>(kGreatestSize);  // NaN is none
    if (!is_factor) {
      throw Error(Kind::input, "{}: {} is no factor above 0", field.where(), factor);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

/// Phi-3's files have it beside the scaling, others in it.
void read_positions(const JsonField& config, const JsonField& scaling, RopeConfig& rope) {
  const JsonField& original = holder(config, scaling, kOriginalPositions);
  rope.original_positions =
      original.find(kOriginalPositions) ? get_size(original, kOriginalPositions) : get_size(config, kPositions);
}

/// Files that give no factor mean how much longer sequences may be than those that were trained on.
void read_stretch(const JsonField& config, const JsonField& scaling, RopeConfig& rope) {
  if (!scaling.find("factor")) {
    rope.factor = static_cast<double>(get_size(config, kPositions)) / static_cast<double>(rope.original_positions);
  }
}

void read_llama3(const JsonField& scaling, RopeConfig& rope) {
  rope.low_frequency_factor = get_positive(scaling, "low_freq_factor");
  rope.high_frequency_factor = get_positive(scaling, "high_freq_factor");
  if (rope.high_frequency_factor <= rope.low_frequency_factor) {
    throw Error(Kind::input, "{}: high_freq_factor {} is not above low_freq_factor {}", scaling.where(),
                rope.high_frequency_factor, rope.low_frequency_factor);
  }
}

double magnitude(double factor, double weight) { return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1; }

void read_yarn(const JsonField& scaling, RopeConfig& rope) {
  rope.fast_rotations = positive_or(scaling, "beta_fast", 32);
  rope.slow_rotations = positive_or(scaling, "beta_slow", 1);
  rope.is_range_whole = scaling.flag_or("truncate", true);
  const float weight = number_or(scaling, "mscale", 0), weight_of_all = number_or(scaling, "mscale_all_dim", 0);
  const bool has_both = weight != 0 && weight_of_all != 0;
  const double ratio =
      has_both ? magnitude(rope.factor, weight) / magnitude(rope.factor, weight_of_all) : magnitude(rope.factor, 1);
  rope.attention_factor = positive_or(scaling, "attention_factor", static_cast<float>(ratio));
}

void read_longrope(const JsonField& scaling, RopeConfig& rope) {
  rope.short_factors = read_factors(scaling.get("short_factor"));
  rope.long_factors = read_factors(scaling.get("long_factor"));
  const double trained = std::log(static_cast<double>(rope.original_positions));
  const double stretch = rope.factor > 1 && trained > 0 ? std::sqrt(1 + std::log(rope.factor) / trained) : 1;
  rope.attention_factor = positive_or(scaling, "attention_factor", static_cast<float>(stretch));
}

void read_scaling(const JsonField& config, const JsonField& scaling, RopeConfig& rope) {
  rope.type = scaling_type(scaling);
  rope.factor = positive_or(scaling, "factor", 1);
  if (rope.type == "dynamic") {
    rope.positions = get_size(config, kPositions);
  } else if (rope.type == "llama3") {
    read_llama3(scaling, rope);
    read_positions(config, scaling, rope);
  } else if (rope.type == "yarn") {
    read_positions(config, scaling, rope);
    read_stretch(config, scaling, rope);
    read_yarn(scaling, rope);
  } else if (rope.type == "longrope") {
    read_positions(config, scaling, rope);
    read_stretch(config, scaling, rope);
    read_longrope(scaling, rope);
  }
}

}  // namespace

RopeConfig read_rope(const JsonField& config, const RopeDefaults& defaults) {
  auto scaling = config.find("rope_parameters");
  scaling = scaling ? scaling : config.find("rope_scaling");
  const JsonField& first = scaling ? *scaling : config;
  const auto number = [&](std::string_view key, double fallback) -> double {
    return positive_or(holder(first, config, key), key, static_cast<float>(fallback));
  };
  RopeConfig rope{.where = first.where(),
                  .theta = number("rope_theta", defaults.theta),
                  .rotated_share = number("partial_rotary_factor", defaults.rotated_share)};
  if (scaling) {
    read_scaling(config, *scaling, rope);
  }
  return rope;
}

}  // namespace terse
