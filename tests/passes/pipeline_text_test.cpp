#include <doctest/doctest.h>

#include "formats/error.h"
#include "passes/pipeline.h"

namespace terse::passes {
namespace {

TEST_SUITE("passes/pipeline_text") {
  TEST_CASE("a pass prints back canonically") {
    struct Row {
      std::string_view written, canonical;
    };
    for (const Row& row : {
             Row{"prune,pattern=2:4", "prune,pattern=2:4"},
             Row{" prune , pattern = 2:4 ", "prune,pattern=2:4"},
             Row{"prune,except=head,ratio=0.5,only=q+*.mlp.*", "prune,ratio=0.5,only=q+*.mlp.*,except=head"},
             Row{"cast", "cast"},
             Row{"cast,layers=0-3+30,dtype=bf16", "cast,dtype=bf16,layers=0-3+30"},
         }) {
      CAPTURE(row.written);
      const std::string text = to_string(parse_pass(row.written));
      CHECK(text == row.canonical);
      CHECK(to_string(parse_pass(text)) == text);
    }
  }

  TEST_CASE("what the grammar does not know is an error that suggests the nearest word") {
    struct Row {
      std::string_view written, message;
    };
    for (const Row& row : {
             Row{"", "'' names no pass, expected name,key=value,..."},
             Row{",ratio=0.5", "',ratio=0.5' names no pass, expected name,key=value,..."},
             Row{"prnue,ratio=0.5", "there is no pass 'prnue', did you mean 'prune'?"},
             Row{"prune,ration=0.5", "pass prune has no option 'ration', did you mean 'ratio'?"},
             Row{"prune,excpet=q", "pass prune has no option 'excpet', did you mean 'except'?"},
             Row{"prune,ratio", "pass prune: 'ratio' has no value, expected ratio=<fraction>"},
             Row{"prune,ratio=0.5,ratio=0.6", "pass prune: option ratio is given twice"},
             Row{"prune,ratio=0.5,", "pass prune has no option ''"},
             Row{"cast,dtype=fp16", "pass cast: dtype=fp16 is not one of f16|bf16|f32, did you mean 'f16'?"},
         }) {
      CAPTURE(row.written);
      CHECK_THROWS_WITH_AS(parse_pass(row.written), row.message.data(), Error);
    }
  }

  TEST_CASE("values outside of their class are refused") {
    for (const std::string_view text :
         {"prune,ratio=0", "prune,ratio=1", "prune,ratio=-0.1", "prune,ratio=half", "prune,ratio=0.5x",
          "prune,ratio=", "prune,ratio=nan", "prune,pattern=4:2", "prune,pattern=2:2", "prune,pattern=0:4",
          "prune,pattern=2:5", "prune,pattern=2:64", "prune,pattern=2",
          "prune,ratio=0.5,only=", "prune,ratio=0.5,only=q+", "prune,ratio=0.5,layers=3-1", "prune,ratio=0.5,layers=a",
          "prune,ratio=0.5,layers=1-", "prune,ratio=0.5,layers=-1"}) {
      CAPTURE(text);
      CHECK_THROWS_AS(parse_pass(text), Error);
    }
  }

  TEST_CASE("options that contradict each other are refused") {
    for (const std::string_view text : {"prune", "prune,ratio=0.5,pattern=2:4", "prune,pattern=2:4,scope=global"}) {
      CAPTURE(text);
      CHECK_THROWS_AS(parse_pass(text), Error);
    }
  }

  TEST_CASE("a recipe is a pass a line, with comments and blank lines") {
    const Pipeline pipeline = parse_recipe("# shrink\n\n prune,pattern=2:4  # everywhere\r\ncast\n");
    CHECK(to_string(pipeline) == "prune,pattern=2:4\ncast\n");
    CHECK(to_string(parse_recipe(to_string(pipeline))) == to_string(pipeline));
    CHECK(parse_recipe("").calls.empty());
  }

  TEST_CASE("an error in a recipe names its line") {
    CHECK_THROWS_WITH_AS(parse_recipe("cast\n\ncats\n"), "line 3: there is no pass 'cats', did you mean 'cast'?",
                         Error);
  }

  TEST_CASE("every default of every option is a value that the option accepts") {
    for (const PassRow* pass : passes()) {
      for (const OptionRow& option : pass->options) {
        CAPTURE(pass->name);
        CAPTURE(option.name);
        CHECK((option.fallback.empty() || accepts(option.values, option.fallback)));
        CHECK_FALSE(accepts(option.values, "no such value"));
      }
    }
  }
}

}  // namespace
}  // namespace terse::passes
