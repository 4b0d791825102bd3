#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace terse::calibration {

/// GPT-2's alphabet: a printable character for every byte, so that any text is a text of printable characters.
/// Source: Radford et al. 2019, the encoder of GPT-2.
const std::array<char32_t, 256>& byte_alphabet();

/// Appends the characters of `bytes` to `out`.
void append_as_characters(std::string_view bytes, std::string& out);

/// The bytes that `characters` spell; nullopt if one is not of the alphabet.
std::optional<std::string> bytes_of_characters(std::string_view characters);

}  // namespace terse::calibration
