#include "passes/presets.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "passes/pipeline.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

TEST_SUITE("passes/presets") {
  TEST_CASE("every recipe parses, prints back as it is written, and runs on a model and on none") {
    for (const RecipeRow& recipe : recipes()) {
      CAPTURE(recipe.name);
      const Pipeline pipeline = parse_recipe(recipe.text);
      CHECK(to_string(pipeline) == recipe.text);
      TinyModel tiny;
      run_pipeline(pipeline, tiny.model, {});
      Model empty;
      run_pipeline(pipeline, empty, {});
      CHECK(&get_recipe(recipe.name, recipe.target) == &recipe);
    }
  }

  TEST_CASE("an unknown recipe or target is an error that says what there is") {
    CHECK_THROWS_WITH_AS(get_recipe("in4", "onnx"), "there is no recipe 'in4', did you mean 'int4'?", Error);
    CHECK_THROWS_WITH_AS(get_recipe("cluster-16", "gguf"),
                         "recipe cluster-16 has no text for target gguf, it has one for onnx", Error);
  }

  TEST_CASE("int4 for GGUF takes larger types where rows are no whole blocks, and leaves small tables alone") {
    TinyModel tiny;
    const ValueId positions = tiny.weight("positions", 64, 32, {{RoleKind::position}}, {"Gather"});
    tiny.model.graph.value(tiny.q0).constant = random_matrix(32, 256);
    run_pipeline(parse_recipe(get_recipe("int4", "gguf").text), tiny.model, {});
    const auto encoding = [&](ValueId id) { return describe(*tiny.model.graph.value(id).constant); };
    CHECK(encoding(tiny.q0) == "Q4_K");
    CHECK(encoding(tiny.k0) == "Q5_0");  // 32 columns
    CHECK(encoding(tiny.down1) == "Q5_1");
    CHECK(encoding(tiny.table) == "Q8_0");
    CHECK(encoding(positions) == "f32");
    CHECK(encoding(tiny.router) == "f32");
  }

  TEST_CASE("int4 stores linears in 4 bits, the tied table once in 8, and leaves the router alone") {
    TinyModel tiny;
    run_pipeline(parse_recipe(get_recipe("int4", "onnx").text), tiny.model, {});
    const auto encoding = [&](ValueId id) { return describe(*tiny.model.graph.value(id).constant); };
    CHECK(encoding(tiny.q0) == "uint4 channel");  // 32 columns: a block is a row
    CHECK(encoding(tiny.table) == "int8 channel");
    CHECK(encoding(tiny.side) == "uint4 channel");
    CHECK(encoding(tiny.router) == "f32");
    CHECK(encoding(tiny.filter) == "f32");
  }
}

}  // namespace
}  // namespace terse::passes
