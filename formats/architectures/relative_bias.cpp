#include "formats/architectures/relative_bias.h"

#include <algorithm>
#include <cmath>

#include "formats/error.h"

namespace terse::architectures {
namespace {

/// A table of distances this long takes 1 MiB.
constexpr int64_t kGreatestDistance = 65536;

/// The bucket of a distance that is not negative, of `count`: half of them hold one distance each, the others grow.
int64_t bucket_of(int64_t distance, int64_t count, int64_t greatest_distance) {
  const int64_t exact = count / 2;
  if (distance < exact) {
    return distance;
  }
  const auto span = static_cast<float>(std::log(static_cast<double>(greatest_distance) / static_cast<double>(exact)));
  const float place = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / span;
  return std::min(count - 1, exact + static_cast<int64_t>(place * static_cast<float>(count - exact)));
}

void check(const RelativeBiasTraits& traits, int64_t count) {
  if (count < 2) {
    throw Error(Kind::input, "{} is {}, expected at least 4", traits.buckets.key, traits.buckets.value);
  }
  if (traits.greatest_distance <= count / 2 || traits.greatest_distance > kGreatestDistance) {
    throw Error(Kind::input, "relative positions reach as far as {}, expected more than {} and at most {}",
                traits.greatest_distance, count / 2, kGreatestDistance);
  }
}

/// Places of keys relative to their queries, [tokens, tokens].
ValueId places(OpBuilder& builder, ValueId tokens) {
  const ValueId count = builder.op("Squeeze", {tokens, builder.ints({0})});
  const ValueId key = builder.op("Range", {builder.integer(0), count, builder.integer(1)});
  return builder.op("Sub", {key, builder.op("Unsqueeze", {key, builder.ints({1})})});
}

}  // namespace

std::vector<int64_t> distance_buckets(const RelativeBiasTraits& traits) {
  const bool sees_both = traits.sees == RelativeBiasTraits::Sees::both_sides;
  const int64_t count = sees_both ? traits.buckets.value / 2 : traits.buckets.value;
  check(traits, count);
  std::vector<int64_t> buckets;
  for (int64_t place = -traits.greatest_distance; place <= traits.greatest_distance; ++place) {
    const int64_t distance = sees_both ? std::abs(place) : std::max(int64_t{0}, -place);
    buckets.push_back(bucket_of(distance, count, traits.greatest_distance) + (sees_both && place > 0 ? count : 0));
  }
  return buckets;
}

ValueId relative_bias(Blocks& blocks, std::string_view name, const RelativeBiasTraits& traits, ValueId tokens) {
  OpBuilder& builder = blocks.builder();
  const std::vector<int64_t> buckets = distance_buckets(traits);
  const OpBuilder::Scope scope(builder, name);
  const ValueId last = builder.integer(traits.greatest_distance);
  const ValueId place = builder.op("Clip", {places(builder, tokens), builder.integer(-traits.greatest_distance), last});
  const ValueId bucket = builder.op("Gather", {builder.ints(buckets), builder.add(place, last)});
  const ValueId table = blocks.weight("weight", {traits.buckets, traits.heads});
  const ValueId bias = builder.transpose(builder.op("Gather", {table, bucket}), {2, 0, 1});
  return builder.op("Unsqueeze", {bias, builder.ints({0})});
}

}  // namespace terse::architectures
