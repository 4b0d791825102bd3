#include "calibration/chat_template/chat_template.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kMessages = R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}])";

std::string render(std::string_view source, std::string_view messages = kMessages) {
  return ChatTemplate(source, "t").render(messages, {{"bos_token", "<s>"}}, GenerationPrompt::leave_out);
}

TEST_SUITE("calibration/chat_template/chat_template") {
  TEST_CASE("conversations are written out as transformers writes them") {
    const auto path = std::filesystem::path(TERSE_TESTDATA) / "chat_templates" / "expected.json";
    const std::map<std::string, std::string, std::less<>> tokens = {
        {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"pad_token", "<pad>"}};
    for (const Json& row : Json::parse(read_text(path))) {
      CAPTURE(row["name"].get<std::string>());
      const ChatTemplate chat(row["template"].get<std::string>(), "t");
      const auto prompt = row["prompt"].get<bool>() ? GenerationPrompt::add : GenerationPrompt::leave_out;
      CHECK(chat.render(row["messages"].dump(), tokens, prompt) == row["text"].get<std::string>());
    }
  }

  TEST_CASE("what is not known or wrong is an error with its line") {
    struct Row {
      std::string source, message;
    };
    for (const Row& row : {
             Row{"a\n{% include 'x' %}", "t: line 2: terse does not know the tag '{% include %}'"},
             Row{"{{ 1|sort }}", "line 1: terse does not know the filter 'sort'"},
             Row{"\n\n{{ 1 is callable }}", "line 3: terse does not know the test 'callable'"},
             Row{"{{ 'a'.format() }}", "the method 'format' of a str"},
             Row{"{{ strftime_now('%d') }}", "line 1: strftime_now: the same file would not give the same text"},
             Row{"{{ raise_exception('no system role') }}", "line 1: the template refuses: no system role"},
             Row{"{{ messages[0].nothing.more }}", "line 1: 'nothing' is undefined"},
             Row{"{{ messages.append(1) }}", "the method 'append' of a list"},
             Row{"{{ 'a' + 1 }}", "line 1: '+' of a str and a int"},
             Row{"{% for x in 3 %}{% endfor %}", "line 1: a int is nothing to loop over"},
             Row{"{% if true %}", "line 1: expected 'endif', found the end of the template"},
             Row{"{% endif %}", "line 1: '{% endif %}' does not belong here"},
             Row{"{{ 'a }}", "line 1: a string does not end"},
             Row{"{{ 1 ", "line 1: '{{' without '}}'"},
             Row{"{# a", "line 1: a comment does not end"},
             Row{"{{ (1 }}", "line 1: '}' without its opening bracket"},
             Row{"{{ 1 1 }}", "line 1: expected '}}', found '1'"},
             Row{"{{ 2 ** 3 }}", "the operator '**'"},
             Row{"{{ 'é'|upper }}", "terse puts only ASCII into upper case"},
             Row{"{{ messages|map(attribute='role') }}", "terse does not print iterators"},
             Row{"{% set messages.x = 1 %}", "'messages' is no namespace"},
             Row{"{{ loop.cycle }}", "'loop' is undefined"},
             Row{"{% for m in messages %}{{ loop.depth }}{% endfor %}", "terse does not know 'loop.depth'"},
             Row{"{{ 9223372036854775807 + 1 }}", "terse calculates with 64 bits"},
             Row{"{{ 1 // 0 }}", "a division by zero"},
             Row{"{{ x(1) }}", "'x' is undefined"},
             Row{"{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "f: 2 arguments, expected 1 at most"},
         }) {
      CAPTURE(row.source);
      CHECK_THROWS_WITH_AS(render(row.source), doctest::Contains(row.message.c_str()), Error);
    }
  }

  TEST_CASE("a hostile template ends soon, with an error") {
    const std::string brackets(5000, '(');
    std::string minus = "{{ ";
    for (int i = 0; i < 5000; ++i) {
      minus += "- ";
    }
    std::string blocks;
    for (int i = 0; i < 500; ++i) {
      blocks += "{% if true %}";
    }
    std::string sums = "{{ 1";
    for (int i = 0; i < 5000; ++i) {
      sums += " + 1";
    }
    const std::string loop = "{% for i in range(100000) %}", end = "{% endfor %}";
    const std::string kept = "{% set n = namespace(x=['aaaaaaaaaaaaaaaaaaaaaaaa']) %}" + loop;
    for (const std::string& source : {
             "{{ " + brackets + " }}",
             minus + "1 }}",
             blocks,
             sums + " }}",
             loop + loop + loop + end + end + end,
             kept + "{% set n.x = n.x + n.x %}" + end,
             kept + "{% set n.x = [n.x] %}" + end,
             kept + "{% set n.x = [n.x, n.x] %}" + end + "{{ n.x }}",
             "{% set n = namespace(x='a') %}" + loop + "{% set n.x = n.x ~ n.x %}" + end,
             "{% set n = namespace(x='a') %}" + loop + "{% set n.x = n.x|replace('a', n.x ~ 'a') %}" + end,
             "{% set n = namespace(x='a') %}" + loop + "{% set n.x = n.x.join([n.x, n.x, n.x]) %}" + end,
             loop + "{{ messages }}" + loop + "{{ messages }}" + end + end,
             std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
             std::string("{% set n = namespace() %}{% set n.self = n %}"),
             std::string("{{ range(1000000) }}"),
         }) {
      CAPTURE(source.substr(0, 100));
      CHECK_THROWS_AS(render(source), Error);
    }
  }

  TEST_CASE("values that are deep or no JSON are errors") {
    const std::string deep = std::string(5000, '[') + std::string(5000, ']');
    CHECK_THROWS_AS(render("x", deep), Error);
    CHECK_THROWS_AS(render("x", "[1"), Error);
  }

  TEST_CASE("every beginning of a template ends with a text or an error") {
    const std::string source =
        "{%- set ns = namespace(a=[1, 'x\\n', {'k': -1.5}]) -%}{# c #}{% for m in messages[::-1] if m.role is not none "
        "%}"
        "{{ m['content']|trim|default('d', true) ~ loop.index }}{% elif %}{% endfor %}";
    for (size_t length = 0; length <= source.size(); ++length) {
      CAPTURE(length);
      try {
        render(source.substr(0, length));
      } catch (const Error& error) {
        CHECK(error.kind() != Kind::internal);
      }
    }
  }
}

}  // namespace
}  // namespace terse::calibration
