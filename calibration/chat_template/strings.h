#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace terse::calibration::jinja {

// What Python does with strings, on valid UTF-8; positions count code points.

bool is_space(char32_t point);      ///< str.isspace
bool is_printable(char32_t point);  ///< str.isprintable, as of Unicode 16

/// Without white space, or without the code points in `characters`, at its sides.
enum class Side { left, right, both };
std::string_view strip(std::string_view text, Side side);
std::string_view strip(std::string_view text, Side side, std::string_view characters);

/// The code points, each as a text.
std::vector<std::string_view> characters_of(std::string_view text);
int64_t length(std::string_view text);

/// Pieces between white space, or between separators; at most `most` cuts if it is not negative.
std::vector<std::string> split(std::string_view text, int64_t most);
std::vector<std::string> split(std::string_view text, std::string_view separator, int64_t most);

/// At most `most` replacements if it is not negative.
std::string replace(std::string_view text, std::string_view what, std::string_view by, int64_t most);

/// Error unsupported for letters whose other case takes a table: all but ASCII's, and for lower case a few others.
std::string upper(std::string_view text);
std::string lower(std::string_view text);
/// The first character in upper case, the rest in lower case.
std::string capitalize(std::string_view text);
/// Each letter behind one of Python's (or with `Words::jinja` Jinja's) ends of words in upper case.
enum class Words { python, jinja };
std::string title(std::string_view text, Words words);

}  // namespace terse::calibration::jinja
