#include "formats/documents.h"

#include <doctest/doctest.h>

#include <vector>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

struct Read {
  std::string text;
  std::optional<int64_t> label;
  bool is_conversation = false;
  bool operator==(const Read&) const = default;
};

/// The documents of a file; conversations are written out as their JSON.
std::vector<Read> read_all(std::string_view name, std::string_view content, TextUnit unit = TextUnit::line) {
  const TemporaryFolder folder;
  const auto path = folder.path() / name;
  write_text(path, content);
  std::vector<Read> found;
  read_documents(
      path, unit, [](std::string_view messages) { return std::string(messages); },
      [&](const Document& document) {
        found.push_back({std::string(document.text), document.label, document.form == Document::Form::conversation});
        return true;
      });
  return found;
}

TEST_SUITE("formats/documents") {
  TEST_CASE("a text file is one document or a document a line that is not blank") {
    const std::string text = "one two\r\n\n \t\nthree\n\xff";
    CHECK(read_all("a.txt", text, TextUnit::file) == std::vector<Read>{{.text = text}});
    CHECK(read_all("a.txt", text) == std::vector<Read>{{.text = "one two"}, {.text = "three"}, {.text = "\xff"}});
    CHECK(read_all("a.txt", "").empty());
  }

  TEST_CASE(
      "a record gives its text and label, or its messages in their order; blank lines and other members do not count") {
    const auto found = read_all("a.jsonl",
                                "{\"text\": \"a\\nb\", \"label\": 3, \"url\": 1}\n\n"
                                "{\"text\": \"\", \"text_pair\": null, \"label\": \"x\"}\n"
                                "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}], \"text\": null}",
                                TextUnit::file);
    CHECK(found == std::vector<Read>{{.text = "a\nb", .label = 3},
                                     {.text = ""},
                                     {.text = R"([{"role":"user","content":"hi"}])", .is_conversation = true}});
  }

  TEST_CASE("what is no record is an error with file and line") {
    struct Row {
      std::string line, message;
    };
    for (const Row& row :
         {Row{R"({"text": )", "a.jsonl:2: no JSON: column 10"}, Row{"[]", "a.jsonl:2: expected an object"},
          Row{R"({"content": "x"})", "a.jsonl:2: expected an object with a string 'text' or a list of 'messages'"},
          Row{R"({"text": 3})", "a.jsonl:2: expected an object"}, Row{"\"text\"", "a.jsonl:2: expected an object"},
          Row{R"({"text": "a", "text_pair": "b"})", "a.jsonl:2: 'text_pair'"},
          Row{R"({"text": ")" + std::string("\xff") + "\"}", "a.jsonl:2: no JSON"}}) {
      CAPTURE(row.line);
      CHECK_THROWS_WITH_AS(read_all("a.jsonl", "{\"text\": \"x\"}\n" + row.line),
                           doctest::Contains(row.message.c_str()), Error);
    }
  }

  TEST_CASE("reading ends when the visitor has enough") {
    const TemporaryFolder folder;
    write_text(folder.path() / "a.jsonl", "{\"text\": \"x\"}\nbroken");
    int documents = 0;
    read_documents(folder.path() / "a.jsonl", TextUnit::line, {}, [&](const Document&) { return ++documents < 1; });
    CHECK(documents == 1);
  }
}

}  // namespace
}  // namespace terse
