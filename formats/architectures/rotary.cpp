#include "formats/architectures/rotary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "formats/error.h"

namespace terse::architectures {
namespace {

double keep(const RopeConfig& /*rope*/, double frequency) { return frequency; }

/// Source: Chen et al. 2023, position interpolation, arXiv:2306.15595.
double slow_down(const RopeConfig& rope, double frequency) { return frequency / rope.factor; }

/// Waves that are long against the trained length are stretched, short ones stay, those between are blended.
/// Source: Llama 3.1's reference code, apply_scaling.
double slow_down_long_waves(const RopeConfig& rope, double frequency) {
  const double waves = static_cast<double>(rope.original_positions) * frequency / (2 * std::numbers::pi);
  const double share = (waves - rope.low_frequency_factor) / (rope.high_frequency_factor - rope.low_frequency_factor);
  const double kept = std::clamp(share, 0.0, 1.0);
  return (1 - kept) * frequency / rope.factor + kept * frequency;
}

struct ScalingRow {
  std::string_view type;
  double (*scaled)(const RopeConfig& rope, double frequency);
};

constexpr std::array kScalings = {
    ScalingRow{"default", keep},
    ScalingRow{"linear", slow_down},
    ScalingRow{"llama3", slow_down_long_waves},
};

const ScalingRow& get_scaling(const RopeConfig& rope) {
  const auto* row = std::ranges::find(kScalings, rope.type, &ScalingRow::type);
  if (row == kScalings.end()) {
    throw Error(Kind::unsupported,
                "{}: '{}' is no scaling of rotary positions that this version knows: default, linear, llama3",
                rope.where, rope.type);
  }
  return *row;
}

}  // namespace

RotaryTraits rotary_traits(const RopeConfig& rope, int64_t head_size) {
  const ScalingRow& scaling = get_scaling(rope);
  const auto dims = static_cast<int64_t>(static_cast<double>(head_size) * std::min(rope.rotated_share, 1.0));
  if (dims < 2 || dims % 2 != 0) {
    throw Error(Kind::input, "rotary positions turn {} of a head's {} dimensions, expected an even number", dims,
                head_size);
  }
  RotaryTraits traits;
  for (int64_t i = 0; i < dims; i += 2) {
    const double frequency = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(dims));
    traits.frequencies.push_back(static_cast<float>(scaling.scaled(rope, frequency)));
  }
  return traits;
}

RotaryTables rotary_tables(OpBuilder& builder, const RotaryTraits& traits, ValueId positions) {
  const OpBuilder::Scope scope(builder, "rotary_embedding");
  const ValueId frequencies =
      builder.floats("rotary_embedding.inv_freq", {std::ssize(traits.frequencies)}, traits.frequencies);
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
