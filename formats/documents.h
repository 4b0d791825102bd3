#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace terse {

/// One text of a file.
struct Document {
  /// A conversation that a chat template has written out has its special tokens in the text already.
  enum class Form { plain, conversation };
  Form form = Form::plain;
  std::string_view text;         ///< lives as long as the visit
  std::optional<int64_t> label;  ///< its class
};

/// What is a document of a .txt file.
enum class TextUnit {
  file,  ///< all of it
  line,  ///< each line that is not blank
};

/// What reads documents; false ends the reading.
using DocumentVisitor = std::function<bool(const Document& document)>;

/// True for files of text, judged by the name: .txt and .jsonl.
bool is_text_file(const std::filesystem::path& path);

/// Reads a file in order. A .jsonl file has a JSON object a line (blank lines do not count), whatever the unit: its
/// `text` is the document, with `label` its class if that is a whole number; or else `messages` is a conversation,
/// which `render` (JSON of the messages -> text) writes out. Other members are not looked at.
/// Errors: io; input with file and line; what `render` and `visit` throw, with file and line.
void read_documents(const std::filesystem::path& path, TextUnit unit,
                    const std::function<std::string(std::string_view messages)>& render, const DocumentVisitor& visit);

}  // namespace terse
