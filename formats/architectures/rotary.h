#pragma once

#include <cstdint>
#include <vector>

#include "formats/architectures/op_builder.h"
#include "formats/rope_config.h"

namespace terse::architectures {

/// How rotary positions turn the queries and keys of a head.
/// Source: Su et al. 2021, RoFormer, arXiv:2104.09864.
struct RotaryTraits {
  enum class Pairs {
    halves,      ///< (i, i + dims / 2), as Llama has it
    neighbours,  ///< (2 i, 2 i + 1), as GPT-J has it
  };
  std::vector<float> frequencies;  ///< radians a token, of each pair; twice as many dimensions of a head are turned
  float scale = 1;                 ///< of the sines and cosines
  Pairs pairs = Pairs::halves;
  int64_t short_tokens = 0;             ///< longer sequences may have other frequencies, for all of their tokens:
  std::vector<float> long_frequencies;  ///< these, unless there are none,
  float growth = 0;  ///< or those that stretch waves, the longest by this share for each further token
};

/// Traits by what config.json says. Error unsupported for a type of scaling that this version does not know.
RotaryTraits rotary_traits(const RopeConfig& config, int64_t head_size);

/// f32 [batch, tokens, pairs] each.
struct RotaryTables {
  ValueId cosines = kNoValue, sines = kNoValue;
};

/// The tables of the tokens at hand: computed, so that no sequence is too long. `positions` is i64 [batch, tokens].
RotaryTables rotary_tables(OpBuilder& builder, const RotaryTraits& traits, ValueId positions);

/// Queries or keys [batch, tokens, heads * head size], turned.
ValueId rotate(OpBuilder& builder, ValueId x, int64_t heads, const RotaryTraits& traits, const RotaryTables& tables);

}  // namespace terse::architectures
