#include "passes/selection.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "formats/error.h"
#include "passes/pipeline.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

/// The names that a cast with these options selects, joined by blanks.
std::string selected(std::string_view options) {
  TinyModel tiny;
  const PassCall call = parse_pass(options.empty() ? "cast" : "cast," + std::string(options));
  std::string names;
  for (const ValueId id : select(tiny.model.graph, Arguments(get_pass("cast"), call), "linears")) {
    names += (names.empty() ? "" : " ") + tiny.model.graph.value(id).name;
  }
  return names;
}

TEST_SUITE("passes/selection") {
  TEST_CASE("roles, groups, patterns and layers select matrices") {
    struct Row {
      std::string_view options, expected;
    };
    for (const Row& row : {
             Row{"", "layers.0.attn.q layers.0.attn.k layers.0.mlp.up layers.1.attn.q layers.1.mlp.down side"},
             Row{"only=linears",
                 "layers.0.attn.q layers.0.attn.k layers.0.mlp.up layers.1.attn.q layers.1.mlp.down side"},
             Row{"only=tables", "embed"},
             Row{"only=vocabulary", "embed"},
             Row{"only=embedding", "embed"},
             Row{"only=head", "embed"},
             Row{"only=q", "layers.0.attn.q layers.1.attn.q"},
             Row{"only=q+*.mlp.*", "layers.0.attn.q layers.0.mlp.up layers.1.attn.q layers.1.mlp.down"},
             Row{"only=filter", "filter"},
             Row{"except=q+k", "layers.0.mlp.up layers.1.mlp.down side"},
             Row{"only=matrices,except=linears+head", "layers.1.router filter"},
             Row{"layers=1", "layers.1.attn.q layers.1.mlp.down"},
             Row{"only=q,layers=0-1", "layers.0.attn.q layers.1.attn.q"},
             Row{"only=q,layers=0+1", "layers.0.attn.q layers.1.attn.q"},
             Row{"only=router,layers=0", ""},
             Row{"only=q@1+layers.0.mlp.*", "layers.0.mlp.up layers.1.attn.q"},
             Row{"only=linears@0-1,except=q@0+*.mlp.*@1", "layers.0.attn.k layers.0.mlp.up layers.1.attn.q"},
         }) {
      CAPTURE(row.options);
      CHECK(selected(row.options) == row.expected);
    }
  }

  TEST_CASE("experts that a Gather picks from a stack are linears, no table") {
    TinyModel tiny;
    Graph& graph = tiny.model.graph;
    const auto stack = make_dense(Tensor::of<float>({2, 4, 32}, std::span<const float>(normal_numbers(2 * 4 * 32))));
    const ValueId experts = add_weight(graph, "experts", stack, {{RoleKind::gate_up, 0}});
    add_reader(graph, "Gather", {experts, tiny.x});
    for (const auto& [group, expected] : {std::pair{"linears", 1}, std::pair{"tables", 0}}) {
      CAPTURE(group);
      const PassCall call = parse_pass("cast,only=" + std::string(group));
      const auto selected_ids = select(graph, Arguments(get_pass("cast"), call), "linears");
      CHECK(std::count(selected_ids.begin(), selected_ids.end(), experts) == expected);
    }
  }

  TEST_CASE("positions and token types are tables, but no vocabulary") {
    TinyModel tiny;
    tiny.weight("token_types", 2, 32, {{RoleKind::embedding}}, {"Gather"});
    tiny.weight("positions", 64, 32, {{RoleKind::position}}, {"Gather"});
    const Graph& graph = tiny.model.graph;
    CHECK(find_weights(graph, "vocabulary") == std::vector<ValueId>{tiny.table});
    CHECK(find_weights(graph, "tables").size() == 3);
  }

  TEST_CASE("a word that matches nothing is an error that names the nearest") {
    struct Row {
      std::string_view options, message;
    };
    for (const Row& row : {
             Row{"only=linear",
                 "'linear' matches no role, group or name of a weight of two or more dimensions, did you mean "
                 "'linears'?"},
             Row{"only=layers.0.atn.q",
                 "'layers.0.atn.q' matches no role, group or name of a weight of two or more dimensions, did you mean "
                 "'layers.0.attn.q'?"},
             Row{"except=gate", "'gate' matches no role, group or name of a weight of two or more dimensions"},
             Row{"only=norm", "'norm' matches no role, group or name of a weight of two or more dimensions"},
             Row{"only=q@2-5", "'q@2-5' matches no weight in these layers, the model has layers up to 1"},
             Row{"only=q@first", "'q@first' matches no role, group or name of a weight of two or more dimensions"},
             Row{"layers=2-5", "layers=2-5 matches no weight, the model has layers up to 1"},
         }) {
      CAPTURE(row.options);
      std::string message;
      try {
        selected(row.options);
      } catch (const Error& error) {
        message = error.what();
        CHECK(error.kind() == Kind::usage);
      }
      CHECK(message.substr(0, row.message.size()) == row.message);
    }
  }

  TEST_CASE("a group that the model does not have selects nothing") {
    Model model;
    const PassCall call = parse_pass("cast,only=tables+linears");
    CHECK(select(model.graph, Arguments(get_pass("cast"), call), "matrices").empty());
  }
}

}  // namespace
}  // namespace terse::passes
