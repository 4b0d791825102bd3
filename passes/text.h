#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse::passes {

/// The pieces between separators; an empty text has none.
std::vector<std::string_view> split(std::string_view text, char separator);

/// Without white space at both ends.
std::string_view trim(std::string_view text);

/// True if `text` matches `pattern`, in which '*' stands for any characters and '?' for one.
bool matches(std::string_view pattern, std::string_view text);

/// The candidate with the smallest edit distance (insert, delete, replace, swap neighbours), if at most a third of it
/// has to change.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

/// ", did you mean 'x'?" or nothing: the end of an error message.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace terse::passes
