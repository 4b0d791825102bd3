#pragma once

#include <span>
#include <string_view>

namespace terse::passes {

/// Which weights must be stored alike.
enum class Alike {
  experts,         ///< the experts of a layer, weight by weight: runtimes stack them
  fused_products,  ///< also q, k and v, and gate and up: readers of checkpoints join them
};

/// What a search for an encoding of each weight may choose from where no pass says more.
struct SearchTargetRow {
  std::string_view target;    ///< a row of `formats()`
  std::string_view rewrites;  ///< passes that run in any case, as parse_recipe reads them
  std::string_view weights;   ///< those that get encodings, as only= takes them
  Alike alike;
  /// As a line of an encodings file names them, separated by blanks. What a weight cannot have, or what the target
  /// cannot hold for it, is left out; of two that come to the same for a weight the first counts.
  std::string_view encodings;
};

std::span<const SearchTargetRow> search_targets();
const SearchTargetRow& get_search_target(std::string_view target);

}  // namespace terse::passes
