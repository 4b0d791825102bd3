#pragma once

#include <cstddef>
#include <string_view>

namespace terse {

/// Bytes of the well-formed UTF-8 at the start of `bytes`: all of them, or those in front of the first bad one.
/// Overlong forms, surrogates and what would be above U+10FFFF are bad.
size_t valid_utf8_prefix(std::string_view bytes);

inline bool is_utf8(std::string_view bytes) { return valid_utf8_prefix(bytes) == bytes.size(); }

/// Of bytes that begin with no character: how many are the longest start of one, which stand for one U+FFFD; 1 if the
/// first cannot begin any. Source: The Unicode Standard, section 3.9, "U+FFFD Substitution of Maximal Subparts".
size_t bad_utf8_prefix(std::string_view bytes);

}  // namespace terse
