#include "formats/documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"

namespace terse {
namespace {

using Json = nlohmann::ordered_json;  // what a template writes out has the order of the file

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\v\f") == std::string_view::npos; }

/// Calls `visit(line, number)`, without the line's end, for every line that is not blank, until it says false.
template <typename Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    if (!is_blank(line) && !visit(line, number)) {
      return;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string place(const std::filesystem::path& path, int64_t line) { return fmt::format("{}:{}", path.string(), line); }

/// Error input without the line that the parser counts: a record has only one.
Json parse_record(std::string_view line) {
  try {
    return Json::parse(line);
  } catch (const Json::parse_error& error) {
    const std::string_view message = error.what();  // "[...] parse error at line 1, column 5: syntax error ..."
    const size_t column = std::min(message.find("column"), message.size());
    throw Error(Kind::input, "no JSON: {}", message.substr(column, 200));
  }
}

std::optional<int64_t> label_of(const Json& record) {
  const auto found = record.find("label");
  return found != record.end() && found->is_number_integer() ? std::optional(found->get<int64_t>()) : std::nullopt;
}

/// A second text would have to be encoded together with the first.
void check_single(const Json& record) {
  if (const auto pair = record.find("text_pair"); pair != record.end() && !pair->is_null()) {
    throw Error(Kind::unsupported, "'text_pair': terse does not encode pairs of texts, expected none or null");
  }
}

/// The record's document; `text` holds what it is.
Document read_record(std::string_view line, const std::function<std::string(std::string_view)>& render,
                     std::string& text) {
  const Json record = parse_record(line);
  const auto member = [&](const char* name) { return record.is_object() ? record.find(name) : record.end(); };
  Document document;
  if (const auto found = member("text"); found != record.end() && found->is_string()) {
    check_single(record);
    text = found->get<std::string>();
    document.label = label_of(record);
  } else if (const auto messages = member("messages"); messages != record.end() && messages->is_array()) {
    document.form = Document::Form::conversation;
    text = render(messages->dump());
  } else {
    throw Error(Kind::input, "expected an object with a string 'text' or a list of 'messages'");
  }
  document.text = text;
  return document;
}

}  // namespace

bool is_text_file(const std::filesystem::path& path) {
  return path.extension() == ".txt" || path.extension() == ".jsonl";
}

void read_documents(const std::filesystem::path& path, TextUnit unit,
                    const std::function<std::string(std::string_view messages)>& render, const DocumentVisitor& visit) {
  const auto file = MappedFile::open(path);
  if (path.extension() == ".jsonl") {
    for_each_line(text_of(*file), [&](std::string_view line, int64_t number) {
      return with_context(place(path, number), [&] {
        std::string text;
        const Document document = read_record(line, render, text);
        return visit(document);
      });
    });
  } else if (unit == TextUnit::line) {
    for_each_line(text_of(*file), [&](std::string_view line, int64_t number) {
      return with_context(place(path, number), [&] { return visit(Document{.text = line}); });
    });
  } else {
    with_context(path.string(), [&] { visit(Document{.text = text_of(*file)}); });
  }
}

}  // namespace terse
