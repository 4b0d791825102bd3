#include "cli/pipeline_choice.h"

#include "formats/bytes.h"
#include "formats/error.h"
#include "passes/presets.h"

namespace terse::cli {
namespace {

/// A recipe by name or, if it has an extension or a folder in it, of a file.
passes::Pipeline read_recipe(const std::string& recipe, std::string_view target) {
  if (recipe.find_first_of("./") == std::string::npos) {
    return passes::parse_recipe(passes::get_recipe(recipe, target).text);
  }
  const std::string text = read_text(recipe);
  return with_context(recipe, [&] { return passes::parse_recipe(text); });
}

}  // namespace

void declare_pipeline(Arguments& arguments, PipelineChoice& choice) {
  arguments.option("--recipe", "NAME|FILE", choice.recipe, "a recipe of 'terse recipes', or a file with a pass a line");
  arguments.repeated("--pass", "NAME,key=value,...", choice.passes,
                     "a pass of 'terse passes'; given again for more, in order, after the recipe");
  arguments.option("--encodings", "FILE", choice.encodings,
                   "what single weights become, after all passes: lines such as 'v+down@0-3 Q6_K', later ones win");
}

passes::Pipeline ChosenPipeline::for_graph(const Graph& graph) const {
  passes::Pipeline complete = pipeline;
  if (!encodings_path.empty()) {
    with_context(encodings_path, [&] { passes::add_encodings(encodings, graph, complete); });
  }
  return complete;
}

ChosenPipeline read_pipeline(const PipelineChoice& choice, const FormatRow& format) {
  ChosenPipeline chosen{.pipeline = {}, .encodings = {}, .encodings_path = choice.encodings};
  if (!choice.recipe.empty()) {
    chosen.pipeline = read_recipe(choice.recipe, format.name);
  }
  for (const std::string& pass : choice.passes) {
    chosen.pipeline.calls.push_back(with_context("--pass", [&] { return passes::parse_pass(pass); }));
  }
  if (!choice.encodings.empty()) {
    const std::string text = read_text(choice.encodings);
    chosen.encodings = with_context(choice.encodings, [&] { return passes::parse_encodings(text); });
  }
  return chosen;
}

void check_not_empty(const PipelineChoice& choice) {
  if (choice.recipe.empty() && choice.passes.empty() && choice.encodings.empty()) {
    throw Error(
        Kind::usage,
        "compress: nothing to do, give --recipe, --pass, --encodings or --max-size (see 'terse recipes', 'terse "
        "passes')");
  }
}

}  // namespace terse::cli
