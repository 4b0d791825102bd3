#pragma once

#include <string_view>

namespace terse::cli {

/// Results go to standard output. Error io if the system does not take them (a full disk behind a redirection).
void print(std::string_view text);

/// Messages go to standard error, a line each: "terse: ...".
void print_message(std::string_view text);

}  // namespace terse::cli
