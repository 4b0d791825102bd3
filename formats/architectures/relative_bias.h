#pragma once

#include <cstdint>
#include <vector>

#include "formats/architectures/blocks.h"

namespace terse::architectures {

/// A learned number for each head and each bucket of distances between key and query: fine buckets for near keys, wider
/// ones up to `greatest_distance`, one for all that is farther.
/// Source: Raffel et al. 2019, T5, arXiv:1910.10683, section 2.1.
struct RelativeBiasTraits {
  enum class Sees {
    both_sides,  ///< half of the buckets for keys in front of the query, half for those behind it
    past,        ///< keys behind the query are in the bucket of the query itself: a causal mask hides them
  };
  Size buckets, heads;
  int64_t greatest_distance = 0;
  Sees sees = Sees::both_sides;
};

/// Buckets of the places key - query from -greatest_distance to greatest_distance, rounded as transformers rounds, in
/// f32. Error input if there are too few buckets, or none for what is far.
std::vector<int64_t> distance_buckets(const RelativeBiasTraits& traits);

/// What is to be added to the scores of a sequence of `tokens` (i64 [1]) with itself, by NAME.weight [buckets, heads].
/// Shape:  [1, heads, tokens, tokens]
ValueId relative_bias(Blocks& blocks, std::string_view name, const RelativeBiasTraits& traits, ValueId tokens);

}  // namespace terse::architectures
