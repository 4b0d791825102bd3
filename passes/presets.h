#pragma once

#include <span>
#include <string_view>

namespace terse::passes {

/// A recipe that comes with terse: a name, and a pipeline text for each target that it makes sense for.
struct RecipeRow {
  std::string_view name;
  std::string_view summary;
  std::string_view target;  ///< a row of `formats()`
  std::string_view text;    ///< as parse_recipe reads it
};

std::span<const RecipeRow> recipes();

/// Error usage suggests the nearest name, or lists the targets that the recipe has a text for.
const RecipeRow& get_recipe(std::string_view name, std::string_view target);

}  // namespace terse::passes
