#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/table.h"
#include "formats/error.h"
#include "passes/presets.h"
#include "passes/text.h"

namespace terse::cli {
namespace {

std::string list() {
  Table table({"recipe", "target", ""});
  for (const passes::RecipeRow& recipe : passes::recipes()) {
    table.add({std::string(recipe.name), std::string(recipe.target), std::string(recipe.summary)});
  }
  return table.text();
}

/// The recipe's text for each target, as a file that --recipe reads.
std::string show(std::string_view name) {
  std::string text;
  std::vector<std::string_view> names;
  for (const passes::RecipeRow& recipe : passes::recipes()) {
    names.push_back(recipe.name);
    if (recipe.name == name) {
      text +=
          fmt::format("# {} for {}: {}\n{}\n", recipe.name, recipe.target, recipe.summary, passes::trim(recipe.text));
    }
  }
  if (text.empty()) {
    throw Error(Kind::usage, "recipes: unknown recipe '{}'{}", name, passes::suggestion(name, names));
  }
  return text;
}

}  // namespace

Action setup_recipes(Arguments& arguments) {
  const auto name = std::make_shared<std::string>();
  arguments.optional_positional("NAME", *name, "print the passes of this recipe");
  return [name](const Context&) {
    print(name->empty() ? list() : show(*name));
    return kDone;
  };
}

}  // namespace terse::cli
