#pragma once

#include <string>

namespace terse::safetensors {

/// What a model card is to tell.
struct CardFacts {
  std::string base_model;  ///< "organisation/name" of the model that was compressed; empty: not known
  std::string pipeline;    ///< the passes, one a line; empty: the model was converted
  std::string version;     ///< of terse
  bool has_codes = false;
};

/// The card of a compressed model, from the original's README.md: its text stays, a section says what was done, and in
/// the front matter (YAML between two lines of "---") `tags` grow and `base_model` names the original if it is known.
/// Nothing is said twice if the card went through here before.
std::string extend_card(const std::string& readme, const CardFacts& facts);

}  // namespace terse::safetensors
