#include "passes/encodings_file.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

std::string pipeline_text(std::string_view recipe, std::string_view encodings) {
  const TinyModel tiny;
  Pipeline pipeline = parse_recipe(recipe);
  add_encodings(parse_encodings(encodings), tiny.model.graph, pipeline);
  return to_string(pipeline);
}

std::string message_of(std::string_view encodings) {
  try {
    pipeline_text("", encodings);
  } catch (const Error& error) {
    CHECK(error.kind() == Kind::usage);
    return error.what();
  }
  return "";
}

std::string encoding_of(const TinyModel& tiny, ValueId id) { return describe(*tiny.model.graph.value(id).constant); }

TEST_SUITE("passes/encodings_file") {
  TEST_CASE("lines become passes, of which later ones take weights from earlier ones and from the recipe") {
    struct Row {
      std::string_view recipe, encodings, expected;
    };
    for (const Row& row : {
             Row{"", "linears Q4_0", "quantize,type=Q4_0,only=linears\n"},
             Row{"", "  linears\t bits=8,block=32 # a comment\n\n# another\n",
                 "quantize,bits=8,block=32,only=linears\n"},
             Row{"", "embed f16", "cast,dtype=f16,only=embed\n"},
             Row{"", "q centroids=16,group=tensor", "cluster,centroids=16,group=tensor,only=q\n"},
             Row{"", "q dtype=f16,codes=decode", "cast,dtype=f16,codes=decode,only=q\n"},
             Row{"", "linears Q4_0\nq+k f16", "quantize,type=Q4_0,only=linears,except=q+k\ncast,dtype=f16,only=q+k\n"},
             Row{"", "linears Q4_0\nq@1 Q8_0\nq@0 keep",
                 "quantize,type=Q4_0,only=linears,except=q@1+q@0\nquantize,type=Q8_0,only=q@1\n"},
             Row{"", "q Q4_0\nlinears Q8_0", "quantize,type=Q8_0,only=linears\n"},
             Row{"", "q Q4_0\nk Q8_0\nup Q4_0", "quantize,type=Q4_0,only=q+up\nquantize,type=Q8_0,only=k\n"},
             // The second line has taken q@1 from the first, which therefore cannot have it back.
             Row{"", "q Q4_0\nq@1 Q8_0\nq@1 Q4_0",
                 "quantize,type=Q4_0,only=q,except=q@1\nquantize,type=Q4_0,only=q@1\n"},
             Row{"prune,ratio=0.5\nquantize,bits=4\nsimplify\nquantize,bits=8,only=tables\n", "side+embed keep",
                 "prune,ratio=0.5\nquantize,bits=4,except=side+embed\nsimplify\n"},
             Row{"quantize,bits=4,except=k", "", "quantize,bits=4,except=k\n"},
         }) {
      CAPTURE(row.encodings);
      CHECK(pipeline_text(row.recipe, row.encodings) == row.expected);
    }
  }

  TEST_CASE("every weight becomes what the last line says of it") {
    TinyModel tiny;
    Pipeline pipeline = parse_recipe("quantize,type=Q4_0");
    add_encodings(parse_encodings("matrices bf16\nq Q8_0\nq@0 bits=4,block=32\nside keep\n*.mlp.* Q5_1\n"),
                  tiny.model.graph, pipeline);
    run_pipeline(pipeline, tiny.model, {});
    CHECK(encoding_of(tiny, tiny.table) == "bf16");
    CHECK(encoding_of(tiny, tiny.q0) == "int4 channel");
    CHECK(encoding_of(tiny, tiny.q1) == "Q8_0");
    CHECK(encoding_of(tiny, tiny.k0) == "bf16");
    CHECK(encoding_of(tiny, tiny.side) == "f32");
    CHECK(encoding_of(tiny, tiny.up0) == "Q5_1");
  }

  TEST_CASE("what the file cannot mean is an error that names the line") {
    struct Row {
      std::string_view encodings, message;
    };
    for (const Row& row : {
             Row{"\nlinears", "line 2: 'linears' has no encoding, expected WEIGHTS ENCODING"},
             Row{"linears Q4_M",
                 "line 1: there is no encoding 'Q4_M', expected one of Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, "
                 "Q5_K, Q6_K, IQ4_NL, IQ4_XS, f16, bf16, f32, keep or options such as bits=4,block=32, did you mean "
                 "'Q4_0'?"},
             Row{"linears bits=3", "line 1: pass quantize: bits=3 is not one of 2|4|8|<bits>, did you mean '2'?"},
             Row{"linears bit=4", "line 1: pass quantize has no option 'bit', did you mean 'bits'?"},
             Row{"linears bits=4,only=q",
                 "line 1: an encoding selects no weights: write them in front, with layers as in down@0-3"},
             Row{"q+ Q4_0",
                 "line 1: 'q+' is no list of weights: words joined by '+', and '?' for characters that mean more"},
             Row{"q,k Q4_0",
                 "line 1: 'q,k' is no list of weights: words joined by '+', and '?' for characters that mean more"},
             Row{"q Q4_0\nquery Q4_0",
                 "line 2: 'query' matches no role, group or name of a weight of two or more dimensions"},
             Row{"q@7 Q4_0", "line 1: 'q@7' matches no weight in these layers, the model has layers up to 1"},
         }) {
      CAPTURE(row.encodings);
      CHECK(message_of(row.encodings) == row.message);
    }
    Pipeline pipeline;
    CHECK_THROWS_WITH_AS(add_encodings(parse_encodings("tables f16"), Graph(), pipeline),
                         "line 1: 'tables' matches no weight", Error);
  }

  TEST_CASE("a plan's file makes the same plan again") {
    for (const std::string_view recipe :
         {"quantize,bits=4,block=16,grid=asymmetric\nquantize,bits=8,block=tensor,only=q\nquantize,bits=2,only=k,scale="
          "f32",
          "quantize,type=Q4_K\ncast,dtype=bf16", "cluster,centroids=4,group=tensor\ncluster,group=8,only=k,table=f32",
          "cast,dtype=f16,only=tables", "prune,ratio=0.5"}) {
      CAPTURE(recipe);
      TinyModel planned, again;
      for (TinyModel* tiny : {&planned, &again}) {
        tiny->model.graph.value(tiny->side).display_name = "embedding";  // a role's name
        tiny->model.graph.value(tiny->filter).display_name = "conv+1,x y#*";
      }
      run_pipeline(parse_recipe(recipe), planned.model, {.plan_only = true});
      const std::string text = encodings_text(again.model.graph, planned.model.graph);
      Pipeline pipeline;
      add_encodings(parse_encodings(text), again.model.graph, pipeline);
      run_pipeline(pipeline, again.model, {.plan_only = true});
      for (size_t i = 0; i < planned.model.graph.values.size(); ++i) {
        const EncodingPtr &expected = planned.model.graph.values[i].constant,
                          &found = again.model.graph.values[i].constant;
        CHECK((expected == nullptr || describe(*expected) == describe(*found)));
      }
    }
  }

  TEST_CASE("weights that nothing changed are kept") {
    const TinyModel original;
    TinyModel planned = original;
    run_pipeline(parse_recipe("quantize,type=Q4_0,only=q"), planned.model, {.plan_only = true});
    CHECK(encodings_text(original.model.graph, planned.model.graph) ==
          "embed keep  # embedding head [40,32]\n"
          "layers.0.attn.q Q4_0  # q@0 [32,32]\n"
          "layers.0.attn.k keep  # k@0 [32,32]\n"
          "layers.0.mlp.up keep  # up@0 [32,32]\n"
          "layers.1.attn.q Q4_0  # q@1 [32,32]\n"
          "layers.1.mlp.down keep  # down@1 [32,32]\n"
          "layers.1.router keep  # router@1 [8,32]\n"
          "side keep  # other [16,32]\n"
          "filter keep  # other [16,32]\n");
  }
}

}  // namespace
}  // namespace terse::passes
