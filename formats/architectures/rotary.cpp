#include "formats/architectures/rotary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>

#include "formats/error.h"

namespace terse::architectures {
namespace {

/// One pair of a head's dimensions, by its frequency without a scaling.
struct Pair {
  int64_t index = 0, dims = 0;  ///< dims = twice the number of pairs
  double frequency = 0;
};

double keep(const RopeConfig& /*rope*/, const Pair& pair) { return pair.frequency; }

/// Source: Chen et al. 2023, position interpolation, arXiv:2306.15595.
double slow_down(const RopeConfig& rope, const Pair& pair) { return pair.frequency / rope.factor; }

/// Waves that are long against the trained length are stretched, short ones stay, those between are blended.
/// Source: Llama 3.1's reference code, apply_scaling.
double slow_down_long_waves(const RopeConfig& rope, const Pair& pair) {
  const double waves = static_cast<double>(rope.original_positions) * pair.frequency / (2 * std::numbers::pi);
  const double share = (waves - rope.low_frequency_factor) / (rope.high_frequency_factor - rope.low_frequency_factor);
  const double kept = std::clamp(share, 0.0, 1.0);
  return (1 - kept) * pair.frequency / rope.factor + kept * pair.frequency;
}

/// The pair, counted with fractions, whose wave fits so often into the sequences that were trained on.
double pair_of_rotations(const RopeConfig& rope, double rotations, int64_t dims) {
  const double wave = static_cast<double>(rope.original_positions) / (rotations * 2 * std::numbers::pi);
  return static_cast<double>(dims) * std::log(wave) / (2 * std::log(rope.theta));
}

/// Pairs behind a range are stretched, those in front of it stay, those in it are blended.
/// Source: Peng et al. 2023, YaRN, arXiv:2309.00071, section 3.2.
double slow_down_slow_pairs(const RopeConfig& rope, const Pair& pair) {
  constexpr double kLeastRange = 0.001;
  double first = pair_of_rotations(rope, rope.fast_rotations, pair.dims);
  double last = pair_of_rotations(rope, rope.slow_rotations, pair.dims);
  first = std::max(rope.is_range_whole ? std::floor(first) : first, 0.0);
  last = std::min(rope.is_range_whole ? std::ceil(last) : last, static_cast<double>(pair.dims - 1));
  const double range = first == last ? kLeastRange : last - first;
  const double stretched = std::clamp((static_cast<double>(pair.index) - first) / range, 0.0, 1.0);
  return stretched * pair.frequency / rope.factor + (1 - stretched) * pair.frequency;
}

/// Source: Ding et al. 2024, LongRoPE, arXiv:2402.13753.
double slow_down_by_list(const RopeConfig& rope, const Pair& pair) {
  return pair.frequency / static_cast<double>(rope.short_factors.at(static_cast<size_t>(pair.index)));
}

struct ScalingRow {
  std::string_view type;
  double (*scaled)(const RopeConfig& rope, const Pair& pair);
};

constexpr std::array kScalings = {
    ScalingRow{"default", keep},
    ScalingRow{"dynamic", keep},
    ScalingRow{"linear", slow_down},
    ScalingRow{"llama3", slow_down_long_waves},
    ScalingRow{"longrope", slow_down_by_list},
    ScalingRow{"yarn", slow_down_slow_pairs},
};

const ScalingRow& get_scaling(const RopeConfig& rope) {
  const auto* row = std::ranges::find(kScalings, rope.type, &ScalingRow::type);
  if (row == kScalings.end()) {
    std::string known;
    for (const ScalingRow& scaling : kScalings) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", scaling.type);
    }
    throw Error(Kind::unsupported, "{}: '{}' is no scaling of rotary positions that this version knows: {}", rope.where,
                rope.type, known);
  }
  return *row;
}

int64_t rotated_dimensions(const RopeConfig& rope, int64_t head_size) {
  const auto dims = static_cast<int64_t>(static_cast<double>(head_size) * std::min(rope.rotated_share, 1.0));
  if (dims < 2 || dims % 2 != 0) {
    throw Error(Kind::input, "rotary positions turn {} of a head's {} dimensions, expected an even number", dims,
                head_size);
  }
  return dims;
}

std::vector<float> frequencies_of(const RopeConfig& rope, int64_t dims) {
  const ScalingRow& scaling = get_scaling(rope);
  std::vector<float> frequencies;
  for (int64_t i = 0; i < dims; i += 2) {
    const double frequency = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(dims));
    frequencies.push_back(
        static_cast<float>(scaling.scaled(rope, {.index = i / 2, .dims = dims, .frequency = frequency})));
  }
  return frequencies;
}

void check_factors(const RopeConfig& rope, const std::vector<float>& factors, int64_t dims) {
  if (std::ssize(factors) != dims / 2) {
    throw Error(Kind::input, "{}: found {} factors of short or long sequences, expected {}", rope.where, factors.size(),
                dims / 2);
  }
}

std::vector<float> long_frequencies_of(RopeConfig rope, int64_t dims) {
  check_factors(rope, rope.long_factors, dims);
  rope.short_factors = rope.long_factors;
  return frequencies_of(rope, dims);
}

/// One number for the whole batch.
ValueId last_position(OpBuilder& builder, ValueId positions) {
  return builder.op("ReduceMax", {positions}, {{.name = "keepdims", .value = int64_t{0}}});
}

/// How much longer than what was trained on the longest sequence is, times growth: at least 1.
/// Source: the dynamic NTK scaling of "NTK-aware scaled RoPE", by the users bloc97 and emozilla of Reddit, as
/// transformers has it.
ValueId stretch(OpBuilder& builder, const RotaryTraits& traits, ValueId positions) {
  const ValueId further =
      builder.op("Sub", {last_position(builder, positions), builder.integer(traits.short_tokens - 1)});
  const ValueId grown = builder.cast(builder.op("Max", {further, builder.integer(0)}), DType::f32);
  return builder.add(builder.mul(grown, builder.scalar(traits.growth)), builder.scalar(1));
}

/// f32 [pairs]
ValueId frequencies_at(OpBuilder& builder, const RotaryTraits& traits, ValueId positions) {
  const auto pairs = std::ssize(traits.frequencies);
  const auto table = [&](std::string_view name, std::span<const float> values) {
    return builder.floats(fmt::format("rotary_embedding.{}", name), {pairs}, values);
  };
  const ValueId frequencies = table("inv_freq", traits.frequencies);
  if (!traits.long_frequencies.empty()) {
    const ValueId is_long =
        builder.op("Greater", {last_position(builder, positions), builder.integer(traits.short_tokens - 1)});
    return builder.op("Where", {is_long, table("long_inv_freq", traits.long_frequencies), frequencies});
  }
  if (traits.growth == 0) {
    return frequencies;
  }
  std::vector<float> exponents;
  for (int64_t i = 0; i < pairs; ++i) {
    exponents.push_back(-static_cast<float>(i) / static_cast<float>(pairs - 1));
  }
  const ValueId slowed = builder.op("Pow", {stretch(builder, traits, positions), table("exponents", exponents)});
  return builder.mul(frequencies, slowed);
}

}  // namespace

RotaryTraits rotary_traits(const RopeConfig& rope, int64_t head_size) {
  const int64_t dims = rotated_dimensions(rope, head_size);
  RotaryTraits traits{.scale = static_cast<float>(rope.attention_factor)};
  if (rope.type == "longrope") {
    check_factors(rope, rope.short_factors, dims);
    traits.short_tokens = rope.original_positions;
    traits.long_frequencies = long_frequencies_of(rope, dims);
  } else if (rope.type == "dynamic" && dims > 2) {
    traits.short_tokens = rope.positions;
    traits.growth = static_cast<float>(rope.factor / static_cast<double>(rope.positions));
  }
  traits.frequencies = frequencies_of(rope, dims);
  return traits;
}

RotaryTables rotary_tables(OpBuilder& builder, const RotaryTraits& traits, ValueId positions) {
  const OpBuilder::Scope scope(builder, "rotary_embedding");
  const ValueId frequencies = frequencies_at(builder, traits, positions);
  const ValueId column = builder.op("Unsqueeze", {positions, builder.ints({2})});
  const ValueId angles = builder.mul(builder.cast(column, DType::f32), frequencies);
  const auto scaled = [&](ValueId table) {
    return traits.scale == 1 ? table : builder.mul(table, builder.scalar(traits.scale));
  };
  return {.cosines = scaled(builder.op("Cos", {angles})), .sines = scaled(builder.op("Sin", {angles}))};
}

ValueId rotate(OpBuilder& builder, ValueId x, int64_t heads, const RotaryTraits& traits, const RotaryTables& tables) {
  const bool are_neighbours = traits.pairs == RotaryTraits::Pairs::neighbours;
  return builder.op("RotaryEmbedding", {x, tables.cosines, tables.sines},
                    {{.name = "num_heads", .value = heads},
                     {.name = "rotary_embedding_dim", .value = 2 * std::ssize(traits.frequencies)},
                     {.name = "interleaved", .value = int64_t{are_neighbours ? 1 : 0}}});
}

}  // namespace terse::architectures
