#pragma once

#include <string>
#include <string_view>

namespace terse {

/// The bytes that `text` spells in base64 (RFC 4648, section 4). Error input for any other character.
std::string decode_base64(std::string_view text);

/// The other way round, with padding.
std::string encode_base64(std::string_view bytes);

}  // namespace terse
